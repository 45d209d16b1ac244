/* The script of a shop's page: gets an assertion for the signed-in visitor from the shop's backend, and hands it to the chat. */
(() => {
  "use strict";
  const visitor = document.currentScript.dataset.visitor;
  const before = sessionStorage.getItem("visitor");
  // When another visitor uses the same browser, the previous visitor's chat is removed.
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
