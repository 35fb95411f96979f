"""Pages as people use and see them."""

from collections.abc import Callable
from typing import Any

from tests.support.browser_window import Window

AIM = """
window.hit?.();
const kinds = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
let reached = false;
const guard = (event) => {
  if (!event.isTrusted) return;
  if (arguments[0].contains(event.target)) reached ||= event.type === "click";
  else {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
};
for (const each of kinds) addEventListener(each, guard, true);
window.hit = () => {
  for (const each of kinds) removeEventListener(each, guard, true);
  return reached;
};
"""
HIT = "return window.hit ? hit() : true"  # another page has come: it was a link


class Browser(Window):
    """A window with a mouse, a keyboard, and eyes."""

    def click(self, selector: str) -> None:
        """Click as a mouse does, once the element is there and nothing lies over it."""
        self.click_on(lambda: self.one(selector))

    def click_on(self, find: Callable[[], Any]) -> None:
        """Click on what is found. Where the page moves it away just then, click again: what was
        hit in its place hears nothing of it."""
        self.wait(lambda: self._hits(find()))

    def _hits(self, element: Any) -> bool:
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            ElementNotInteractableException,
        )

        if element is None:
            return False
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.script(AIM, element)
        try:
            element.click()
        except (ElementClickInterceptedException, ElementNotInteractableException):
            return False
        return bool(self.script(HIT))

    def choose(self, selector: str, text: str) -> None:
        """Choose an option of a list by the text that it shows."""
        self.choose_in(lambda: self.one(selector), text)

    def choose_in(self, find: Callable[[], Any], text: str) -> None:
        self.wait(lambda: self._choose(find(), text))

    def _choose(self, element: Any, text: str) -> bool:
        from selenium.webdriver.support.ui import Select

        Select(element).select_by_visible_text(text)
        return True

    def press(self, *keys: str) -> None:
        """Press keys, as `Keys.TAB`, where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        """Have this text in a field, and no other."""
        self.fill_in(lambda: self.one(selector), text)

    def fill_in(self, find: Callable[[], Any], text: str) -> None:
        """Write into what is found; into its successor where the page makes it anew."""
        self.wait(lambda: self._fill(find(), text))

    def _fill(self, field: Any, text: str) -> bool:
        field.clear()
        field.send_keys(text)
        return True

    def text(self, selector: str) -> str:
        """The text of an element, as people see it."""
        [text] = self.wait(lambda: [self.one(selector).text])
        return str(text)

    def attribute(self, selector: str, name: str) -> str:
        """The attribute of an element, or its property."""
        [value] = self.wait(lambda: [self.one(selector).get_attribute(name)])
        return str(value)

    def sees(self, text: str, selector: str = "body") -> None:
        """Wait until a text is shown within an element."""
        self.wait(lambda: text in self.text(selector))
