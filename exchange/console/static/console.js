// Makes tables of wide rows and texts of long lines reachable by keyboard, and shows how long a deadline has to go. Without it all reads alike.
"use strict";

for (const wide of document.querySelectorAll(".wide, pre:not([aria-label])")) {
  const look = () => {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
  };
  new ResizeObserver(look).observe(wide);
}

// Who has to leave at once leaves no page behind to go back to.
for (const away of document.querySelectorAll("[data-away]")) {
  away.addEventListener("click", (event) => {
    event.preventDefault();
    document.documentElement.hidden = true;
    location.replace(away.href);
  });
}
