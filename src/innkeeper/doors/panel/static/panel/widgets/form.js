// Forms: the summary of errors takes the focus; leaving with unsaved input asks first; files that are too large are
// refused before they are sent.
document.addEventListener("alpine:init", () => {
  Alpine.data("summary", () => ({
    init() {
      this.$el.focus();
    },
  }));

  Alpine.data("unsaved", () => ({
    init() {
      let changed = this.$el.querySelector(".is-invalid") !== null;
      this.$el.addEventListener("input", () => { changed = true; });
      this.$el.addEventListener("submit", () => { changed = false; });
      window.addEventListener("beforeunload", (event) => {
        if (changed) event.preventDefault();
      });
    },
  }));

  Alpine.data("files", () => ({
    refused: "",
    init() {
      const input = this.$el.querySelector('input[type="file"]');
      input.addEventListener("change", () => {
        const size = [...input.files].reduce((sum, file) => sum + file.size, 0);
        const fits = size <= Number(this.$root.dataset.most);
        this.refused = fits ? "" : this.$root.dataset.refusal;
        if (!fits) input.value = "";
      });
    },
  }));

  // Parts of a form that follow a choice: data-when="FIELD=VALUE VALUE". Without a script all show that are not hidden.
  Alpine.data("follows", () => ({
    init() {
      const form = this.$el;
      const apply = () => {
        for (const part of form.querySelectorAll("[data-when]")) {
          const [name, values] = part.dataset.when.split("=");
          const input = form.querySelector(`[name="${name}"]:checked`);
          const value = input ? input.value : "";
          part.hidden = !values.split(" ").includes(value);
        }
      };
      form.addEventListener("change", apply);
      apply();
    },
  }));
});
