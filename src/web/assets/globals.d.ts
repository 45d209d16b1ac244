// What the scripts find on a page that is not of the language or the browser.

/** How the shop's page vouches for a visitor, and answers a challenge (docs/assertions.md, docs/widget.md). */
interface Window {
  countersign?: { assertion?: () => Promise<string>; challenge?: () => Promise<string> };
}

/** The widget's style sheet: the server puts it in the place of this name. */
declare const STYLE: string;
