/* What a shop's own page does: it gets an assertion for the visitor whom its backend knows, and hands it to the chat. */
(() => {
  "use strict";
  const visitor = document.currentScript.dataset.visitor;
  const before = sessionStorage.getItem("visitor");
  // Another visitor on the same machine: the chat of the one before is not theirs.
  if (before !== null && before !== visitor)
    for (const name of Object.keys(localStorage)) if (name.startsWith("countersign:")) localStorage.removeItem(name);
  sessionStorage.setItem("visitor", visitor);
  if (visitor) {
    window.countersign = {
      assertion: async () =>
        (await (await fetch(`/demo/assertion?as=${encodeURIComponent(visitor)}`)).json()).assertion,
    };
  }
})();
