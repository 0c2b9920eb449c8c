// Comforts for long pages: a filter above long tables, and folded parts opened for the printer.
(() => {
  "use strict";

  const LONG = 12;

  function addFilter(table) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= LONG) return;
    const box = document.createElement("p"), label = document.createElement("label");
    const input = document.createElement("input"), count = document.createElement("span");
    box.className = "filter";
    input.type = "search";
    count.setAttribute("aria-live", "polite");
    label.append("Filter ", input);
    box.append(label, count);
    table.parentElement.before(box);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const apply = () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !texts[i].includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = `${shown} of ${rows.length}`;
    };
    input.addEventListener("input", apply);
    apply();
  }

  // A link into a folded run unfolds it.
  function unfoldTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not(.bulky):not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
  addEventListener("hashchange", unfoldTarget);
  unfoldTarget();
  document.querySelectorAll("table.filterable").forEach(addFilter);
})();
