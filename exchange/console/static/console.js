// Makes tables of wide rows reachable by keyboard, and shows how long a deadline has to go. Without it all reads alike.
"use strict";

for (const wide of document.querySelectorAll(".wide")) {
  const look = () => {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
  };
  new ResizeObserver(look).observe(wide);
}
