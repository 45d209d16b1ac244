/* Moves the secret of a mailed link, which follows the #, from the address into the form. */
(() => {
  "use strict";
  const field = /** @type {HTMLInputElement} */ (document.querySelector("input[name=token]"));
  if (!field) return;
  if (location.hash.length > 1) {
    field.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
  }
  field.closest("label").hidden = field.value !== "";
})();
