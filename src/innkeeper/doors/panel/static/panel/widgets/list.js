// A list: pick all rows of the page, show the bulk actions only when rows are picked, keyboard shortcuts.
document.addEventListener("alpine:init", () => {
  Alpine.data("list", () => ({
    picked: 0,
    all: false,
    init() {
      this.$el.addEventListener("change", (event) => {
        if (event.target.matches("[data-all]")) {
          for (const box of this.boxes()) box.checked = event.target.checked;
        }
        this.count();
      });
      document.body.addEventListener("htmx:afterSwap", (event) => {
        if (event.detail.target.closest(".work, dialog")) return;
        this.count();
        announce(document.getElementById("rows").dataset.total);
      });
      window.addEventListener("pageshow", () => this.count());
      this.count();
    },
    boxes() {
      return [...this.$root.querySelectorAll("tbody .pick input")];
    },
    count() {
      const boxes = this.boxes();
      this.all = this.$root.querySelector("#all")?.checked ?? false;
      this.picked = boxes.filter((box) => box.checked).length;
      const all = this.$root.querySelector("[data-all]");
      if (all) {
        all.checked = boxes.length > 0 && this.picked === boxes.length;
        all.indeterminate = this.picked > 0 && !all.checked;
      }
    },
    get none() {
      return this.picked === 0 && !this.all;
    },
    get some() {
      return this.picked > 0 && !this.all;
    },
    get pickedText() {
      return this.$root.dataset.picked.replace("{n}", String(this.picked));
    },
  }));

  // The switch for single keys, kept in this browser.
  Alpine.data("keys", () => ({
    on: localStorage.getItem("innkeeper-keys") !== "off",
    toggle() {
      this.on = !this.on;
      localStorage.setItem("innkeeper-keys", this.on ? "on" : "off");
    },
  }));
});

// Single keys, never while somebody types and never with a modifier: / search, c create, j k move, x pick, ? help.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("innkeeper-keys") === "off") return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const row = event.target.closest("[data-row]");
  const index = rows.indexOf(row);
  const link = (found) => (found?.matches("a") ? found : found?.querySelector("th a"));
  const act = {
    "/": () => document.querySelector("[data-key-search]")?.focus(),
    c: () => document.querySelector("[data-key-create]")?.click(),
    j: () => link(rows[Math.min(index + 1, rows.length - 1)])?.focus(),
    k: () => link(rows[Math.max(index - 1, 0)])?.focus(),
    "?": () => document.querySelector("[data-key-help]")?.click(),
    x: () => row?.querySelector(".pick input")?.click(),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
