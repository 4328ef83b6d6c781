// Runs before the first paint: what needs a script shows only where there is one.
document.documentElement.classList.add("scripted");
