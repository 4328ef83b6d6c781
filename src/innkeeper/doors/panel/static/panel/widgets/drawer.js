// The drawer that shows an object's packet and command: a dialog that htmx fills. Without a script it is a page.
document.addEventListener("htmx:afterSwap", (event) => {
  const drawer = event.target.closest?.("dialog.drawer");
  if (drawer && !drawer.open) drawer.showModal();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  else if (event.target.matches?.("dialog.drawer")) event.target.close();
});
