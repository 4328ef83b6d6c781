// A menu made of <details>: closes with Escape and with a click elsewhere.
document.addEventListener("alpine:init", () => {
  Alpine.data("menu", () => ({
    init() {
      document.addEventListener("click", (event) => {
        if (!this.$el.contains(event.target)) this.$el.open = false;
      });
      this.$el.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && this.$el.open) {
          this.$el.open = false;
          this.$el.querySelector("summary").focus();
        }
      });
    },
  }));
});
