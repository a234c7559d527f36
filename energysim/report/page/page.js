// Sorts and filters the table of layers, and names what the pointer is over in a strip.
// Everything can be read without this script.
(() => {
  "use strict";
  const table = document.getElementById("layers");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const ranks = JSON.parse(document.getElementById("ranks").textContent);
  const heads = [...table.querySelectorAll("th[data-c]")];
  const find = document.getElementById("find");
  const part = document.getElementById("part");
  const told = document.getElementById("told");
  const LEADING = 3;

  const sort = (head, direction) => {
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    const order = rows.map((row, index) => index);
    if (head) {
      const rank = ranks[head.dataset.c];
      // Rows without a value come last either way; equal ones stay in network order.
      order.sort((a, b) => {
        if (rank[a] < 0 || rank[b] < 0) return (rank[a] < 0) - (rank[b] < 0) || a - b;
        return direction * (rank[a] - rank[b]) || a - b;
      });
      head.setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
    }
    body.append(...order.map((index) => rows[index]));
  };

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, head.getAttribute("aria-sort") === "descending" ? 1 : -1));
  }
  document.getElementById("reset").addEventListener("click", () => sort(null));

  const filter = () => {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(text);
      row.hidden = !(fits && (!part.value || row.dataset.p === part.value));
      shown += !row.hidden;
    }
    told.textContent = shown < rows.length ? `${shown} of ${rows.length} rows; the totals are of all layers` : "";
  };
  find.addEventListener("input", filter);
  find.addEventListener("change", filter);
  part.addEventListener("change", filter);
  find.closest(".controls").hidden = false;
  filter(); // a browser may have kept what was typed

  for (const strip of document.querySelectorAll("svg[data-run]")) {
    const count = strip.viewBox.baseVal.width / 10;
    const output = strip.parentNode.querySelector("output");
    strip.addEventListener("pointermove", (event) => {
      const box = strip.getBoundingClientRect();
      const place = Math.floor(((event.clientX - box.left) / box.width) * count);
      const cells = rows[Math.min(Math.max(place, 0), count - 1)].cells;
      const value = cells[LEADING + Number(strip.dataset.run)].textContent;
      output.textContent = `${cells[0].textContent}: ${value} ${table.dataset.unit}`;
    });
    strip.addEventListener("pointerleave", () => (output.textContent = ""));
  }
})();
