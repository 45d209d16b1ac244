// Declarations of globals that come neither from the language nor from the browser.

/** What the shop's page defines to sign its visitor in and to solve a challenge (docs/assertions.md, docs/widget.md). */
interface Window {
  countersign?: { assertion?: () => Promise<string>; challenge?: () => Promise<string> };
}

/** The widget's style sheet. The server replaces this name by it. */
declare const STYLE: string;

/** The texts of every language, by language tag. The server replaces this name by them. */
// biome-ignore lint/suspicious/noExplicitAny: a text, or the texts of an API's states.
declare const CATALOGUES: Record<string, Record<string, any>>;
