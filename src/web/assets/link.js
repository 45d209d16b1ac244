/* The mailed link carries its secret behind the #. It goes into the form, and out of the address. */
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
