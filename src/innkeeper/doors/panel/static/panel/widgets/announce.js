// What is said aside from the page: to screen readers, to the clipboard, and when the panel does not answer.
window.announce = (text) => {
  const area = document.getElementById("announcer");
  area.textContent = "";
  setTimeout(() => { area.textContent = text; }, 50);
};

window.copyText = async (text, input) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard is closed to pages that came over plain HTTP: leave the text selected for Ctrl+C.
    if (input) input.select();
  }
};

document.addEventListener("DOMContentLoaded", () => {
  const toast = document.getElementById("toast");
  const show = (text) => {
    const note = document.createElement("div");
    note.className = "note-box is-error";
    note.textContent = text;
    toast.replaceChildren(note);
  };
  document.body.addEventListener("htmx:sendError", () => show(toast.dataset.away));
  document.body.addEventListener("htmx:responseError", () => show(toast.dataset.failed));
  document.body.addEventListener("htmx:beforeRequest", () => toast.replaceChildren());
  // A part that follows something says its news, and not each time that it has none.
  const news = () => document.querySelector("[data-said]")?.dataset.said;
  let said = news();
  document.body.addEventListener("htmx:afterSwap", () => {
    const now = news();
    if (now && now !== said) announce(now);
    said = now;
  });
});
