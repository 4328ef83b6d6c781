// The command of an event handler: a parameter that is clicked is put in at the caret, and what is wrong is said aloud.
document.addEventListener("alpine:init", () => {
  Alpine.data("command", () => ({
    init() {
      this.$el.addEventListener("htmx:afterSwap", (event) => {
        if (event.target.id === "command_result") this.judged();
      });
    },
    field() {
      return document.getElementById("id_command");
    },
    judged() {
      const error = document.getElementById("id_command_error");
      const field = this.field();
      field.classList.toggle("is-invalid", error !== null);
      if (error) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      const said = [...document.querySelectorAll("#command_result .error, #command_result .warning")];
      announce(said.map((each) => each.textContent).join(" "));
    },
    insert() {
      const field = this.field();
      const before = field.value.slice(0, field.selectionStart);
      const after = field.value.slice(field.selectionEnd);
      // Inside quotes, and behind the sign of an option, it goes where the caret is; else it is an argument of its own.
      const quoted = (before.match(/["']/g) ?? []).length % 2 === 1;
      const left = before === "" || quoted || /[\s=:,]$/.test(before) || /^[^\s]/.test(after) ? "" : " ";
      const text = `${left}<${this.$el.dataset.insert}>`;
      field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    },
  }));
});
