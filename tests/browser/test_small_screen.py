"""The demo's phone and map on a small screen: nothing is wider than the window, nothing covers a text."""

import pytest
from playwright.async_api import Page, expect

from gateway.publishing import pack_compiler
from tests.browser.console_page import PHONE_SCREEN
from tests.browser.phone_page import PhonePage

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIND_WIDE = """width => [...document.querySelectorAll("body *")].filter(each => {
  const box = each.getBoundingClientRect();
  return !each.closest(".chart") && box.width && (box.right > width + 0.5 || box.left < -0.5);
}).map(each => `${each.tagName} ${each.id} ${each.getBoundingClientRect().right}`)"""
FIND_COVERED = """() => {
  const clip = (box, node) => {
    let { left, top, right, bottom } = box;
    for (let each = node.parentElement; each; each = each.parentElement) {
      if (getComputedStyle(each).overflow === "visible" || each.closest("svg")) continue;
      const frame = each.getBoundingClientRect();
      [left, top] = [Math.max(left, frame.left), Math.max(top, frame.top)];
      [right, bottom] = [Math.min(right, frame.right), Math.min(bottom, frame.bottom)];
    }
    return { left, top, right, bottom };
  };
  const found = [];
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode, range = document.createRange();
    if (!node.data.trim() || node.parentElement.closest("option, title, script")) continue;
    range.selectNodeContents(node);
    const drawn = node.parentElement.closest("svg");
    for (const box of range.getClientRects())
      found.push({ of: node, name: node.data.trim(), ...(drawn ? box.toJSON() : clip(box, node)), drawn });
  }
  for (const field of document.querySelectorAll("input, select, textarea")) {
    const box = field.getBoundingClientRect(), ring = 5;
    const sides = { left: box.left - ring, top: box.top - ring };
    Object.assign(sides, { right: box.right + ring, bottom: box.bottom + ring });
    if (box.width) found.push({ of: field, ring, name: `ring of ${field.id || field.name}`, ...sides });
  }
  const seen = found.filter(each => each.right - each.left > 1 && each.bottom - each.top > 1);
  const covers = (one, other) => one.of !== other.of && !(one.ring && other.ring) && !one.drawn === !other.drawn
    && Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1.5
    && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1.5;
  return seen.flatMap((one, at) => seen.slice(at + 1).filter(other => covers(one, other))
    .map(other => `${one.name} / ${other.name}`));
}"""
"""Texts and the focus rings of fields that cover each other; what a scrolled box hides does not count."""
OPERATORS = [*pack_compiler.shipped_operators()]


async def find_faults(page: Page) -> list[str]:
    """Return what is wider than the window, and what covers something else."""
    width = PHONE_SCREEN["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    return [*await page.evaluate(FIND_WIDE, width), *await page.evaluate(FIND_COVERED)]


async def test_the_phone_of_every_operator_fits_a_small_screen(page: PhonePage) -> None:
    await page.page.set_viewport_size(PHONE_SCREEN)  # type: ignore[arg-type]
    for operator in OPERATORS:
        await page.element("operator").select_option(operator)
        await expect(page.element("handset")).to_have_attribute("aria-busy", "false")
        await expect(page.element("again")).to_contain_text(operator)
        assert (operator, await find_faults(page.page)) == (operator, [])


async def test_the_map_of_every_operator_fits_a_small_screen(page: PhonePage) -> None:
    await page.page.set_viewport_size(PHONE_SCREEN)  # type: ignore[arg-type]
    for operator in OPERATORS:
        await page.page.goto(f"{page.url}/phone/map?operator={operator}")
        await expect(page.page.locator("#zoom")).to_be_visible()
        assert (operator, await find_faults(page.page)) == (operator, [])
