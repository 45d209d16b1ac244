// What the scripts find on a page that is not of the language or the browser.

/** How the shop's page vouches for a visitor, and answers a challenge (docs/assertions.md, docs/widget.md). */
interface Window {
  countersign?: { assertion?: () => Promise<string>; challenge?: () => Promise<string> };
}

/** The widget's style sheet: the server puts it in the place of this name. */
declare const STYLE: string;

/** The texts of every language, by its tag: the server puts them in the place of this name. */
// biome-ignore lint/suspicious/noExplicitAny: a text, or the texts of an API's states.
declare const CATALOGUES: Record<string, Record<string, any>>;
