// A password field: generate by Web Crypto, show, copy, strength in words.
document.addEventListener("alpine:init", () => {
  // No look-alikes (l 1 I O 0), and no character that a shell or a mail client trips over.
  const GROUPS = ["abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "-_.+=@%"];
  const LENGTH = 16;

  const below = (limit) => {
    const ceiling = Math.floor(0x100000000 / limit) * limit;
    const value = new Uint32Array(1);
    do crypto.getRandomValues(value); while (value[0] >= ceiling);
    return value[0] % limit;
  };
  const pick = (text) => text[below(text.length)];
  const generate = () => {
    const letters = GROUPS.map(pick);
    const all = GROUPS.join("");
    while (letters.length < LENGTH) letters.push(pick(all));
    for (let i = letters.length - 1; i > 0; i -= 1) {
      const j = below(i + 1);
      [letters[i], letters[j]] = [letters[j], letters[i]];
    }
    return letters.join("");
  };
  const level = (text) => {
    const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(text)).length;
    if (text.length >= 16 && kinds === 4) return 4;
    if (text.length >= 10 && kinds >= 3) return 3;
    if (text.length >= 8 && kinds >= 2) return 2;
    return text.length >= 6 ? 1 : 0;
  };

  Alpine.data("password", () => ({
    shown: false,
    words: "",
    init() {
      this.input = this.$el.querySelector("input");
      this.input.addEventListener("input", () => this.judge());
    },
    judge() {
      const texts = this.$el.dataset.levels.split("|");
      this.words = this.input.value ? texts[level(this.input.value)] : "";
    },
    generate() {
      this.input.value = generate();
      this.input.dispatchEvent(new Event("input", { bubbles: true }));
      this.reveal(true);
      this.input.focus();
    },
    toggle() {
      this.reveal(!this.shown);
    },
    reveal(shown) {
      this.shown = shown;
      this.input.type = shown ? "text" : "password";
    },
    get hidden() {
      return !this.shown;
    },
    async copy() {
      await copyText(this.input.value, this.input);
      announce(this.$el.dataset.copied);
    },
  }));

  Alpine.data("copier", () => ({
    async copy() {
      const source = this.$root.querySelector("pre");
      await copyText(source.textContent, null);
      announce(this.$root.dataset.copied);
    },
  }));
});
