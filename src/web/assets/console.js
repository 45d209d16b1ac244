/* Optional comfort for the console, which works without it: live updates, keyboard shortcuts, and undo for a decision. */
(() => {
  "use strict";
  const REFRESH = 5000,
    UNDO_DELAY = 5000;
  const toast = document.getElementById("toast");
  // On a phone the menu is a row that is wider than the screen.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName || "");

  // --- Undo: a decision is sent after a delay, in which it can be cancelled.
  let waiting = null;
  const cancel = () => {
    clearTimeout(waiting?.timer);
    waiting = null;
    toast.hidden = true;
    toast.replaceChildren();
  };
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("form[data-undo]") || form.dataset.sure) return;
    event.preventDefault();
    cancel();
    const undo = document.createElement("button");
    undo.textContent = "Undo";
    undo.addEventListener("click", cancel);
    toast.replaceChildren("Sent in a moment. ", undo);
    toast.hidden = false;
    undo.focus();
    waiting = {
      timer: setTimeout(() => {
        form.dataset.sure = "yes";
        form.requestSubmit();
      }, UNDO_DELAY),
    };
  });

  // --- Keys: j and k go through the queue, Enter opens, a approves, r goes to the reason or the answer, u takes back.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing()) return;
    const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row] a")]);
    const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "j" && rows.length) rows[Math.min(at + 1, rows.length - 1)].focus();
    else if (event.key === "k" && rows.length) rows[Math.max(at - 1, 0)].focus();
    else if (event.key === "u" && waiting) cancel();
    else {
      const key = CSS.escape(event.key);
      const button = /** @type {HTMLButtonElement} */ (document.querySelector(`button[data-key="${key}"]`));
      if (!button) return;
      const field = button.form.querySelector("textarea");
      if (field) field.focus();
      else button.click();
    }
    event.preventDefault();
  });

  // --- Live updates, except while somebody is typing or deciding.
  const live = document.getElementById("live");
  const watched = location.pathname === "/console" || location.pathname.startsWith("/console/conversations");
  setInterval(async () => {
    if (
      !watched ||
      document.hidden ||
      waiting ||
      typing() ||
      live.contains(document.activeElement) ||
      live.querySelector(":checked:not(option)")
    )
      return;
    if (
      [...live.querySelectorAll("textarea, input[type=search], input[type=text]")].some(
        (/** @type {HTMLInputElement} */ field) => field.value !== field.defaultValue,
      )
    )
      return;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!response.ok || response.redirected) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
      if (page && page.innerHTML !== live.innerHTML) live.replaceChildren(...page.childNodes);
    } catch {
      /* the next refresh tries again */
    }
  }, REFRESH);
})();
