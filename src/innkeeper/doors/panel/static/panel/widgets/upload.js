// Uploads in parts: any size, with progress, of what is chosen, dropped on the page or pasted.
document.addEventListener("alpine:init", () => {
  const PART = 2 * 1024 * 1024;

  Alpine.data("upload", () => ({
    busy: false,
    sending: false,
    init() {
      this.input = this.$el.querySelector('input[type="file"]');
      this.list = this.$el.querySelector("ul");
      document.addEventListener("dragover", (event) => {
        if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
      });
      document.addEventListener("drop", (event) => {
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        this.take([...event.dataTransfer.files]);
      });
      document.addEventListener("paste", (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length) this.take(files);
      });
    },
    send(event) {
      event.preventDefault();
      this.take([...this.input.files]);
    },
    async take(files) {
      if (this.sending || !files.length) return;
      this.$root.closest("details").open = true;
      this.busy = this.sending = true;
      this.forAll = "";
      let failed = false;
      for (const file of files) failed = !(await this.one(file)) || failed;
      this.sending = false;
      if (!failed) window.location.reload();
    },
    async one(file) {
      const row = document.createElement("li");
      const name = document.createElement("span");
      const state = document.createElement("span");
      const bar = document.createElement("progress");
      name.textContent = file.name;
      bar.max = Math.max(file.size, 1);
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      row.append(name, bar, state);
      this.list.append(row);
      let token = "";
      try {
        const begun = await this.ask("begin/", { name: file.name });
        token = begun.token;
        const act = begun.exists ? await this.choice(row) : "";
        if (act === "skip") {
          await this.ask("drop/", { token });
          state.textContent = this.$root.dataset.skipped;
          return true;
        }
        const called = act === "both" ? await this.free(file.name) : file.name;
        for (let offset = 0; offset < file.size; offset += PART) {
          await this.ask("part/", { token, offset }, file.slice(offset, offset + PART));
          bar.value = Math.min(offset + PART, file.size);
          state.textContent = `${Math.floor((100 * bar.value) / bar.max)} %`;
        }
        await this.ask("end/", { token, name: called, size: file.size, replace: act === "replace" ? "1" : "0" });
        bar.value = bar.max;
        state.textContent = this.$root.dataset.done;
        announce(`${file.name}: ${state.textContent}`);
        return true;
      } catch (error) {
        if (token) this.ask("drop/", { token }).catch(() => {});
        state.textContent = error.message || this.$root.dataset.failed;
        row.classList.add("is-error");
        announce(`${file.name}: ${state.textContent}`);
        return false;
      }
    },
    // Whoever uploads says what becomes of a name that is in use, before a byte is sent.
    choice(row) {
      if (this.forAll) return this.forAll;
      const words = this.$root.dataset;
      const asking = document.createElement("div");
      asking.className = "ask";
      asking.setAttribute("role", "group");
      asking.setAttribute("aria-label", words.exists);
      const text = document.createElement("span");
      text.textContent = words.exists;
      asking.append(text);
      const label = document.createElement("label");
      const all = document.createElement("input");
      all.type = "checkbox";
      label.append(all, ` ${words.rest}`);
      announce(words.exists);
      return new Promise((resolve) => {
        for (const act of ["replace", "both", "skip"]) {
          const button = document.createElement("button");
          button.type = "button";
          button.className = "btn btn-quiet btn-small";
          button.textContent = words[act];
          button.addEventListener("click", () => {
            if (all.checked) this.forAll = act;
            asking.remove();
            resolve(act);
          });
          asking.append(button);
        }
        asking.append(label);
        row.append(asking);
        asking.querySelector("button").focus();
      });
    },
    // A name that is free, as far as one can tell before the end: `page (2).html`.
    async free(name) {
      const at = name.lastIndexOf(".") > 0 ? name.lastIndexOf(".") : name.length;
      for (let number = 2; number < 100; number += 1) {
        const other = `${name.slice(0, at)} (${number})${name.slice(at)}`;
        const begun = await this.ask("begin/", { name: other });
        await this.ask("drop/", { token: begun.token });
        if (!begun.exists) return other;
      }
      throw new Error(this.$root.dataset.exists);
    },
    async ask(step, values, body) {
      const query = new URLSearchParams({ path: this.$root.dataset.path, ...values });
      const response = await fetch(`${this.$root.dataset.address}${step}?${query}`, {
        method: "POST",
        headers: {
          "X-CSRFToken": this.$root.querySelector('[name="csrfmiddlewaretoken"]').value,
          "Content-Type": "application/octet-stream",
        },
        body,
        redirect: "error",
      }).catch(() => { throw new Error(this.$root.dataset.failed); });
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) throw new Error(answer.error ?? this.$root.dataset.failed);
      return answer;
    },
  }));
});
