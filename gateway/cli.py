"""The command `dialtree`: every way to run the gateway and to look after it."""

import argparse
import asyncio
import contextlib
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from flows.failures import Unavailable
from gateway import (
    app,
    check_cli,
    demo,
    draw_cli,
    log,
    newcomer,
    notify_cli,
    outbox_cli,
    privacy_cli,
    supervisor,
    terminal,
)
from gateway.demo_bss.stand_in import KINDS, standing_in
from gateway.phone.opening import phone, watching
from gateway.providers import discover
from gateway.settings import Settings, SettingsError, config_path, load, merged
from gateway.wiring import House, house
from menus.source import PackError
from storage.sql.upgrade import upgrade_url


def main() -> None:
    """Run a command; settings and packs that cannot be used end it with status 2 and their findings."""
    args = _parser().parse_args()
    if getattr(args, "beside", None):  # the processes we start need it, too
        os.environ["DIALTREE_PACKS"] = args.beside
    try:
        sys.exit(COMMANDS[args.command](args))
    except (SettingsError, PackError, newcomer.NewError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except Unavailable:
        print("database_url: the database does not answer", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dialtree", description="A USSD, SMS and voice gateway for e-billing."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _with_packs(_with_billing(commands.add_parser("demo", help="serve the demo world on loopback")))
    serve = commands.add_parser("serve", help="serve webhooks and pages")
    _with_packs(serve)
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="so many processes on one port")
    serve.add_argument("--deliver", action="store_true", help="deliver what is due, too")
    serve.add_argument("--watch", action="store_true", help="publish packs as they are edited")
    serve.add_argument("--member", type=int, help=argparse.SUPPRESS)
    commands.add_parser("worker", help="deliver what is due")
    dial = commands.add_parser("dial", help="a phone in the terminal")
    terminal.add_arguments(dial)
    _with_packs(_with_billing(dial))
    notify_cli.add_arguments(commands.add_parser("notify", help=notify_cli.HELP))
    check = commands.add_parser("check", help="look for faults in packs")
    check_cli.add_arguments(check)
    _with_packs(check)
    check.add_argument("--prompts", action="store_true", help="print the recordings a pack could still bring")
    draw = commands.add_parser("draw", help="draw the map of an operator's menus")
    draw_cli.add_arguments(draw)
    _with_packs(draw)
    newcomer.add_arguments(commands.add_parser("new", help="begin a pack of your own"))
    outbox_cli.add_arguments(commands.add_parser("outbox", help="look after what goes out"))
    privacy_cli.add_arguments(commands)
    database = commands.add_parser("db", help="look after the database")
    database.add_argument("what", choices=["upgrade"])
    return parser


def _with_billing(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--billing", choices=KINDS, default="", help="read bills from a BSS of this kind instead"
    )
    return parser


def _with_packs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--packs", dest="beside", metavar="FOLDER", help="a folder of packs beside the ones we ship"
    )


def _settings(environ: Mapping[str, str], *, demo_world: bool) -> Settings:
    base = demo.base(environ) if demo_world else {}
    return load(discover(), config_path(environ), environ, base)


def _demo(args: argparse.Namespace) -> int:
    log.start()
    asyncio.run(_serve_demo(args))
    return 0


async def _serve_demo(args: argparse.Namespace) -> None:
    async with _demo_settings(args) as settings, house(settings) as built:
        await demo.settle(built)
        built.recorder.listeners.append(lambda notice: print(demo.told(notice), flush=True))
        async with phone(built, tell=functools.partial(print, flush=True)) as site:
            greet = functools.partial(print, demo.welcome(built, settings.port), flush=True)
            await app.serve(built, app.Part(deliver=True), site.mount, greet)


@contextlib.asynccontextmanager
async def _demo_settings(args: argparse.Namespace) -> AsyncIterator[Settings]:
    """The demo's settings, with a BSS of its own when one is asked for."""
    async with standing_in(args.billing) as told:
        base = merged(demo.base(os.environ), told)
        yield load(discover(), config_path(os.environ), os.environ, base)


def _serve(args: argparse.Namespace) -> int:
    log.start()
    settings = _settings(os.environ, demo_world=False)
    if args.workers > 1:
        _shareable(settings)
        command = functools.partial(supervisor.member_command, deliver=args.deliver, watch=args.watch)
        return asyncio.run(supervisor.Supervisor(args.workers, command).run())
    part = app.Part(deliver=args.deliver, member=args.member)
    return asyncio.run(_running(settings, lambda built: _served(built, part, watch=args.watch)))


async def _served(built: House, part: app.Part, *, watch: bool) -> None:
    async with watching(built) if watch else contextlib.nullcontext():
        await app.serve(built, part)


def _shareable(settings: Settings) -> None:
    """May several processes serve this? Else SettingsError names the field."""
    if not settings.redis_url:
        raise SettingsError(
            "redis_url: several workers need REDIS_URL, or each would know its own sessions only"
        )
    if not settings.port:
        raise SettingsError("port: several workers need a port of their own to share")


def _worker(args: argparse.Namespace) -> int:
    log.start()
    return asyncio.run(_running(_settings(os.environ, demo_world=False), app.work))


async def _running(settings: Settings, run: Callable[[House], Awaitable[None]]) -> int:
    async with house(settings) as built:
        await run(built)
    return 0


def _dial(args: argparse.Namespace) -> int:
    return asyncio.run(_dialled(args))


async def _dialled(args: argparse.Namespace) -> int:
    async with _demo_settings(args) as told:
        settings, given, fragile = terminal.scene(args, told)
        async with house(settings, given=given) as built:
            await demo.settle(built)
            args.caller = args.caller or demo.phone(built, args.operator)
            return await terminal.run(args, built, fragile)


def _notify(args: argparse.Namespace) -> int:
    settings = _settings(os.environ, demo_world=args.demo)
    return asyncio.run(_with_house(settings, lambda built: notify_cli.run(args, built)))


async def _with_house(settings: Settings, run: Callable[[House], Awaitable[int]]) -> int:
    async with house(settings) as built:
        return await run(built)


def _new(args: argparse.Namespace) -> int:
    print(newcomer.run(args))
    return 0


def _outbox(args: argparse.Namespace) -> int:
    settings = _settings(os.environ, demo_world=False)
    return asyncio.run(_looked_after(args, settings))


async def _looked_after(args: argparse.Namespace, settings: Settings) -> int:
    async with house(settings) as built:
        return await outbox_cli.run(built.outbox, args, built.hooks.now())


def _privacy(args: argparse.Namespace) -> int:
    settings = _settings(os.environ, demo_world=args.demo)
    return asyncio.run(_looked_up(args, settings))


async def _looked_up(args: argparse.Namespace, settings: Settings) -> int:
    async with house(settings) as built:
        return await privacy_cli.run(built, args)


def _db(args: argparse.Namespace) -> int:
    asyncio.run(upgrade_url(_settings(os.environ, demo_world=False).database_url))
    return 0


COMMANDS = {
    "demo": _demo,
    "serve": _serve,
    "worker": _worker,
    "dial": _dial,
    "check": check_cli.run,
    "draw": draw_cli.run,
    "new": _new,
    "notify": _notify,
    "outbox": _outbox,
    "export": _privacy,
    "erase": _privacy,
    "audit": _privacy,
    "db": _db,
}
