"""A SIP phone with pjsua2 (PyPI `pjsua2-python`): calls, records what it hears, sends keys as RFC 4733 events.

Run: python sip_phone.py TARGET RECORDING.wav CALLER
Reads commands on standard input, `keys 12#` and `hang up`, and writes the states of the call.
"""

import os
import select
import sys
from typing import Any

import pjsua2  # type: ignore[import-not-found]

pj: Any = pjsua2
TARGET, RECORDING, CALLER = sys.argv[1:4]
STATES = {pj.PJSIP_INV_STATE_CONFIRMED: "CONFIRMED", pj.PJSIP_INV_STATE_DISCONNECTED: "DISCONNECTED"}


class PhoneCall(pj.Call):  # type: ignore[misc]
    """One call, whose audio goes to the recorder."""

    state = ""

    def onCallState(self, prm: object) -> None:
        info = self.getInfo()
        self.state = STATES.get(info.state, "OTHER")
        sys.stdout.write(f"{self.state} {info.lastStatusCode}\n")
        sys.stdout.flush()

    def onCallMediaState(self, prm: object) -> None:
        info = self.getInfo()  # kept in a variable: its list of media is freed with it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self.getAudioMedia(index).startTransmit(recorder)


def obey(call: PhoneCall, line: str) -> None:
    """Carry out one command."""
    verb, _, argument = line.strip().partition(" ")
    if verb == "keys":
        call.dialDtmf(argument)
    elif verb == "hang":
        call.hangup(pj.CallOpParam())


endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.logConfig.level = config.logConfig.consoleLevel = 0
config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
endpoint.libInit(config)
transport = pj.TransportConfig()
transport.port, transport.boundAddress = 0, "127.0.0.1"
endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
endpoint.libStart()
endpoint.audDevManager().setNullDev()
account, account_config = pj.Account(), pj.AccountConfig()
account_config.idUri = f"sip:{CALLER}@127.0.0.1"
account_config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
account.create(account_config)
recorder = pj.AudioMediaRecorder()
recorder.createRecorder(RECORDING)
call: Any = PhoneCall(account)
call.makeCall(TARGET, pj.CallOpParam(True))  # noqa: FBT003 - the library's own
waiting = ""
os.set_blocking(0, False)
while call.state != "DISCONNECTED":
    endpoint.libHandleEvents(20)
    if select.select([0], [], [], 0)[0]:
        waiting += os.read(0, 1024).decode()
        *lines, waiting = waiting.split("\n")
        for each in lines:
            obey(call, each)
recorder = call = None  # they write the recording's header when they go, before the library does
account.shutdown()
endpoint.libDestroy()
