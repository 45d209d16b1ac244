/* The shopper's chat, for one script tag on the shop's page:
 *   <script async src="https://chat.shop.example/widget.js" data-store-key="pk_…"></script>
 * Optional: data-title, data-accent (#rrggbb), data-theme (light, dark), data-lang (a language that the server has, such as de), data-open.
 * A signed-in visitor: window.countersign = { assertion: async () => "a JWT of your backend's" } (docs/assertions.md).
 * It lives in a shadow root with a constructed style sheet, so a strict CSP needs only this origin in script-src and connect-src.
 * It holds no secret: the store key is publishable, and the token belongs to the shopper. */
(() => {
  "use strict";
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const api = new URL(script.src).origin;
  const { storeKey, title, accent, theme, lang } = script.dataset;
  if (!storeKey) return console.error("countersign: the script tag needs data-store-key");

  /** The texts of every language. The server replaces CATALOGUES by the contents of each `widget.ftl`. */
  const WORDS = CATALOGUES;
  const wanted = (lang || document.documentElement.lang || navigator.language || "").slice(0, 2);
  const language = WORDS[wanted] ? wanted : "en";
  const words = WORDS[language];
  const summary = (plan) => plan.translations?.[language] || plan.summary;
  const details = (plan) => plan.details?.[language] || plan.details?.en || [];
  const say = (key, ...values) => values.reduce((text, value, at) => text.replace(`{${at}}`, value), words[key]);

  // --- State that survives a reload. If localStorage is not available, as in a third-party frame, it lasts until the page is left.
  const place = `countersign:${storeKey}`;
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(place)) || {};
  } catch {
    /* localStorage is not available */
  }
  const keep = (change) => {
    Object.assign(kept, change);
    try {
      localStorage.setItem(place, JSON.stringify(kept));
    } catch {
      /* localStorage is not available */
    }
  };

  // --- The API.
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  /** Waits until the browser is online again, or for `ms`. */
  const untilOnline = (ms) =>
    /** @type {Promise<void>} */
    (
      new Promise((done) => {
        const ready = () => {
          removeEventListener("online", ready);
          clearTimeout(timer);
          done();
        };
        const timer = setTimeout(ready, ms);
        addEventListener("online", ready);
      })
    );
  class Refused extends Error {
    constructor(response) {
      super(String(response.status));
      this.status = response.status;
      this.wait = Number(response.headers.get("retry-after")) || 0;
    }
  }
  async function call(method, path, body, headers) {
    const sent = { "content-type": "application/json", "accept-language": language, ...headers };
    if (kept.token) sent.authorization = `Bearer ${kept.token}`;
    const response = await fetch(api + path, {
      method,
      headers: sent,
      body: body && JSON.stringify(body),
      credentials: "omit",
    });
    if (response.status === 401 && kept.token && !path.startsWith("/v1/sessions/")) forget();
    if (!response.ok) throw new Refused(response);
    return response;
  }
  const read = async (path) => (await call("GET", path)).json();
  const postAsStore = async (path, body, headers) =>
    (await call("POST", path, body || {}, { "x-store-key": storeKey, ...headers })).json();
  const enter = (opened) => keep({ token: opened.token, guest: opened.guest });
  function forget() {
    keep({ token: null, guest: true, conversation: null, pending: null, last: null });
  }

  let entering = null;
  /** Opens a session if there is none. Concurrent callers share one request, because two would create two guests. */
  const session = () =>
    kept.token
      ? null
      : (entering ||= openSession().finally(() => {
          entering = null;
        }));
  async function openSession() {
    const assertion = await window.countersign?.assertion?.();
    const challenge = assertion ? null : await window.countersign?.challenge?.();
    const solved = challenge ? { "challenge-token": challenge } : {};
    enter(
      assertion
        ? await postAsStore("/v1/sessions/assertion", { assertion })
        : await postAsStore("/v1/sessions/guest", {}, solved),
    );
    showWho();
  }

  // --- The elements of the page.
  const host = document.createElement("countersign-chat");
  const root = host.attachShadow({ mode: "open" });
  /** Creates an element, such as make("p.note", { id: "x" }, child, "text"). Strings are never parsed as HTML. */
  function make(what, attributes, ...children) {
    const [tag, ...classes] = what.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  if (theme) host.dataset.theme = theme;
  if (/^#[0-9a-f]{6}$/i.test(accent || "")) {
    const light = [1, 3, 5].map((at) => (parseInt(accent.slice(at, at + 2), 16) / 255) ** 2.2);
    host.style.setProperty("--accent", accent);
    host.style.setProperty(
      "--on-accent",
      0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.18 ? "#000" : "#fff",
    );
  }

  const log = make("div.log", { role: "log", "aria-label": say("chat"), tabindex: "0" });
  const status = make("p.status", { role: "status" });
  const input = make("textarea", {
    rows: "1",
    maxlength: "4000",
    "aria-label": say("say"),
    placeholder: say("say"),
    enterkeyhint: "send",
  });
  const form = make("form.say", {}, input, make("button.go", { type: "submit" }, say("send")));
  const who = make("button.link", {
    type: "button",
    onclick: () => (kept.token && !kept.guest ? signOut() : askForEmail()),
  });
  const fresh = make("button.link", { type: "button", onclick: startOver }, say("newChat"));
  const closer = make(
    "button.close",
    { type: "button", "aria-label": say("close"), onclick: () => toggle(false) },
    "×",
  );
  const attended = make("p.attended", { role: "status", hidden: true });
  const codeForm = make("div.door", { hidden: true });
  const panel = make(
    "section.panel",
    { role: "dialog", "aria-label": title || say("chat"), hidden: true },
    make("div.head", {}, make("h2", { dir: "auto" }, title || say("chat")), fresh, who, closer),
    attended,
    log,
    status,
    codeForm,
    form,
  );
  const launcher = make(
    "button.launcher",
    { type: "button", "aria-expanded": "false", onclick: () => toggle() },
    say("chat"),
  );
  root.append(panel, launcher);

  /** @type {Promise<void> | null} */
  let opened = null;
  let ready = false,
    sending = false,
    busy = false;
  function toggle(open = panel.hidden) {
    panel.hidden = !open;
    launcher.hidden = open;
    launcher.setAttribute("aria-expanded", String(open));
    keep({ open });
    (open ? input : launcher).focus();
    if (open && !opened) {
      opened = begin().then(() => {
        ready = true;
      });
    }
  }
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggle(false);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || busy || sending) return;
    input.value = "";
    send(text);
  });
  const note = (text) => {
    status.textContent = text || "";
  };
  function showWho() {
    who.textContent = kept.token && !kept.guest ? say("signOut") : say("signIn");
    fresh.hidden = !kept.conversation;
  }

  // --- Messages.
  const shown = new Set();
  /** What may be pressed below the newest message. */
  let offered = null;
  function offer(texts) {
    const press = (text) => async () => {
      offered?.remove();
      // The answer that offers it may still be on its way to its end.
      while (busy || sending) await sleep(50);
      send(text);
    };
    const button = (text) => make("button", { type: "button", dir: "auto", onclick: press(text) }, text);
    offered = make(
      "div.buttons.suggestions",
      { role: "group", "aria-label": say("suggestions") },
      ...texts.map(button),
    );
    log.append(offered);
    bottom();
  }
  function bubble(author, text, id) {
    if (id && shown.has(id)) return null;
    if (id) shown.add(id);
    offered?.remove();
    const names = { shopper: "you", assistant: "bot", staff: "person", system: "system" };
    const body = make("p.text", { dir: "auto" }, text);
    log.append(make(`div.message.${author}`, {}, make("span.author", {}, say(names[author])), body));
    bottom();
    return body;
  }
  const bottom = () => {
    log.scrollTop = log.scrollHeight;
  };
  function known(message) {
    const body = bubble(message.author, message.text, message.id);
    if (!body) return;
    if (message.citations) body.after(sources(message.citations));
    if (message.suggestions) offer(message.suggestions);
    if (message.author !== "shopper" && !kept.guest) orderCards(message.text);
  }
  /** The help articles that an answer cites. A click on one loads its text. */
  function sources(citations) {
    const pages = citations.map(({ title, language: of, slug }) => {
      const text = make("p", { dir: "auto", lang: of });
      const look = async () => {
        if (!text.textContent)
          try {
            text.textContent = (await read(`/v1/help/${of}/${slug}`)).body;
          } catch {
            text.textContent = say("failed");
          }
      };
      return make("details", { ontoggle: look }, make("summary", { dir: "auto" }, title), text);
    });
    return make(
      "div.sources",
      { role: "group", "aria-label": say("sources") },
      make("span.author", {}, say("sources")),
      ...pages,
    );
  }

  // --- Cards for orders that an answer names. Each order is loaded with the shopper's own token.
  const TRACK = {
    ups: "https://www.ups.com/track?tracknum=",
    usps: "https://tools.usps.com/go/TrackConfirmAction?tLabels=",
    fedex: "https://www.fedex.com/fedextrack/?trknbr=",
    dhl: "https://www.dhl.com/en/express/tracking.html?AWB=",
    dpd: "https://tracking.dpd.de/status/en_US/parcel/",
  };
  // A platform tells more steps than a store of its own; a timeline has those of the way that the order went.
  const STEPS = ["pending", "processed", "delivered"];
  const PLATFORM_STEPS = ["pending", "shipped", "out_for_delivery", "delivered"];
  const cards = new Set();
  const money = (amount) => {
    try {
      return new Intl.NumberFormat(language, { style: "currency", currency: amount.currency }).format(amount.amount);
    } catch {
      return `${amount.amount} ${amount.currency}`;
    }
  };
  async function orderCards(text) {
    for (const number of new Set(text.match(/#[A-Za-z0-9-]{3,20}/g) || [])) {
      if (cards.has(number)) continue;
      cards.add(number);
      try {
        log.append(card(await read(`/v1/orders/${encodeURIComponent(number)}`)));
        bottom();
      } catch {
        cards.delete(number);
      }
    }
  }
  /** The product's picture, or the first letter of its name if there is none or the page's CSP blocks it. */
  function picture(line, source) {
    const letter = make("span.picture", { "aria-hidden": "true" }, line.name.slice(0, 1));
    return source
      ? make("img.picture", {
          src: source,
          alt: "",
          referrerpolicy: "no-referrer",
          onerror: (event) => event.target.replaceWith(letter),
        })
      : letter;
  }
  /** The words for an order's status, with a capital because they stand alone. */
  const statusText = (status) => {
    const text = words.order_states[status] || status;
    return text.slice(0, 1).toLocaleUpperCase(language) + text.slice(1);
  };
  function card(order) {
    const steps = PLATFORM_STEPS.slice(1, 3).includes(order.status) ? PLATFORM_STEPS : STEPS;
    const reached = steps.indexOf(order.status);
    const timeline = make(
      "ol.steps",
      { "aria-label": statusText(order.status) },
      ...(reached < 0
        ? [make("li.now", {}, statusText(order.status))]
        : steps.map((step, at) =>
            make(at <= reached ? "li.now" : "li", at === reached ? { "aria-current": "step" } : {}, statusText(step)),
          )),
    );
    const lines = order.lines.map((line) =>
      make(
        "li",
        {},
        picture(line, order.pictures[line.product_id]),
        make("span", {}, `${line.quantity > 1 ? `${line.quantity} × ` : ""}${line.name}`),
        make("span.price", {}, money({ ...line.price, amount: line.price.amount * line.quantity })),
      ),
    );
    // A parcel without a number and a page has nothing that can be followed; the timeline tells its state.
    const parcels = order.shipments.flatMap((parcel) => {
      const number = parcel.tracking_number;
      const way = number && TRACK[(parcel.carrier || "").toLowerCase()];
      const page = parcel.url || (way && way + encodeURIComponent(number));
      const text = number ? say("track", number) : words.trackPage;
      if (page) return [make("a", { href: page, target: "_blank", rel: "noopener noreferrer" }, text)];
      return number ? [make("span", {}, text)] : [];
    });
    return make(
      "section.card",
      { "aria-label": say("order", order.number) },
      make("h3", {}, say("order", order.number)),
      timeline,
      make("ul.lines", {}, ...lines),
      make("p.total", {}, say("total", money(order.total))),
      ...parcels,
    );
  }

  // --- Proposals.
  const proposals = new Map();
  function proposal(view) {
    const state = make("span.state", {}, words.payouts[view.payout] || words.states[view.state] || view.state);
    const mine = view.awaiting === "shopper" && view.state === "pending" && !kept.guest;
    const act = (path) => async () => {
      buttons.querySelectorAll("button").forEach((button) => {
        button.disabled = true;
      });
      try {
        proposal(await (await call("POST", `/v1/proposals/${view.id}/${path}`, { digest: view.digest })).json());
        await news();
      } catch {
        note(say("failed"));
        watch();
      }
    };
    const buttons = make(
      "div.buttons",
      {},
      mine ? make("button.go", { type: "button", onclick: act("confirm") }, say("confirm")) : null,
      ["pending", "awaiting_payment", "needs_payment"].includes(view.state)
        ? make("button", { type: "button", onclick: act("withdraw") }, say("withdraw"))
        : null,
    );
    const pay =
      view.state === "needs_payment" && /^https?:\/\//.test(view.payment_link || "")
        ? make("a.go", { href: view.payment_link, target: "_blank", rel: "noopener noreferrer" }, say("pay"))
        : null;
    const box = make(
      "section.card.proposal",
      { "aria-label": summary(view.plan) },
      make("p", { dir: "auto" }, mine ? `${say("ask")} ` : "", summary(view.plan)),
      make(
        "dl.details",
        { "aria-label": say("details") },
        ...details(view.plan)
          .filter((row) => row.before !== row.after)
          .flatMap((row) => [
            make("dt", {}, row.label),
            make("dd", { dir: "auto" }, row.after === undefined ? make("del", {}, row.before) : row.after || "–"),
          ]),
      ),
      state,
      view.state === "pending" && view.awaiting === "staff" ? make("p.hint", {}, say("staff")) : null,
      pay,
      buttons,
    );
    const before = proposals.get(view.id);
    if (before) before.box.replaceWith(box);
    else {
      log.append(box);
      bottom();
    }
    proposals.set(view.id, { box, state: view.state });
  }
  async function watch() {
    for (const view of (await read("/v1/proposals")).proposals.reverse()) {
      const before = proposals.get(view.id);
      if (view.conversation_id === kept.conversation && (!before || before.state !== view.state)) proposal(view);
    }
  }

  // Only the address without its query, which may hold what is nobody's business.
  function page() {
    const isWeb = /^https?:$/.test(location.protocol);
    return isWeb
      ? { url: (location.origin + location.pathname).slice(0, 2000), title: document.title.slice(0, 200) }
      : undefined;
  }

  // --- A turn is sent once, and followed until it is done, over reloads and lost connections.
  async function send(text) {
    sending = true;
    // Earlier messages must be shown first.
    if (!ready && kept.conversation) await opened;
    sending = false;
    bubble("shopper", text);
    // crypto.randomUUID exists only on secure pages.
    const key = [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    keep({ pending: { key, text, after: 0, conversation: kept.conversation || undefined } });
    await listen();
  }
  async function listen() {
    busy = true;
    input.setAttribute("aria-busy", "true");
    let live = null,
      refusals = 0;
    const doing = make("p.doing", {}, say("thinking"));
    log.append(doing);
    bottom();
    for (let wait = 500; kept.pending; wait = Math.min(wait * 2, 15000)) {
      try {
        await session();
        const { key, text, after, conversation } = kept.pending;
        const response = await call(
          "POST",
          "/v1/chat/send",
          { text, conversation_id: conversation, page: page() },
          { accept: "text/event-stream", "idempotency-key": key, "last-event-id": String(after) },
        );
        note("");
        await events(response, (id, event) => {
          if (kept.pending) keep({ pending: { ...kept.pending, after: id } });
          wait = 500;
          if (event.type === "accepted") {
            shown.add(event.message_id);
            keep({ conversation: event.conversation_id });
          }
          if (event.type === "delta") {
            live ||= bubble("assistant", "");
            live.append(event.text);
            log.append(doing);
            bottom();
          }
          if (event.type === "tool" && event.status === "started") doing.textContent = event.activity;
          if (event.type === "proposal") proposal(event);
          if (event.type === "message") {
            live?.parentElement.remove();
            live = null;
            known(event);
          }
          if (event.type === "done") keep({ pending: null });
        });
      } catch (error) {
        if (error instanceof Refused && error.status < 500 && ![401, 408, 409, 429].includes(error.status)) {
          giveUp();
          break;
        }
        if (error instanceof Refused && ++refusals > 8) {
          giveUp();
          break;
        }
        note(say(navigator.onLine ? "lost" : "offline"));
        await untilOnline(error.wait * 1000 || wait);
        continue;
      }
      // A stream that ended early is resumed after the last event. The idempotency key makes it the same turn.
      if (kept.pending) await sleep(wait);
    }
    doing.remove();
    busy = false;
    input.removeAttribute("aria-busy");
    showWho();
  }
  function giveUp() {
    const { text } = kept.pending || {};
    keep({ pending: null });
    note(say("failed"));
    if (text && !input.value) input.value = text;
  }
  async function events(response, take) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const field = (name) =>
          block
            .split("\n")
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2);
        const data = field("data");
        if (data) take(Number(field("id")), JSON.parse(data));
      }
    }
  }

  // --- Updates between turns: messages of staff, and changes of proposals.
  async function news() {
    if (!kept.conversation || busy) return;
    const after = kept.last ? `&after=${kept.last}` : "";
    const { messages, attended_by: by } = await read(
      `/v1/conversations/${kept.conversation}/messages?limit=100${after}`,
    );
    // A turn that has begun in the meantime shows its messages itself.
    if (busy) return;
    messages.forEach(known);
    attended.textContent = words.attended[by] || "";
    attended.hidden = !attended.textContent;
    // The last few are read again each time, because messages written at the same moment can become visible out of order.
    if (messages.length > 5) keep({ last: messages.at(-6).id });
    if (messages.length === 100) return news();
    await watch();
  }
  setInterval(() => {
    if (opened && !panel.hidden && !document.hidden && kept.token) news().catch(() => {});
  }, 4000);

  // --- Start and sign-in.
  async function begin() {
    const pending = kept.pending;
    bubble("system", say("hello"));
    showWho();
    try {
      if (!kept.token && window.countersign?.assertion) await session();
      if (kept.conversation) {
        keep({ last: null });
        await news();
        // The server may not have received the message that was being sent.
        if (
          pending &&
          pending.after === 0 &&
          ![...log.querySelectorAll(".shopper .text")].some((it) => it.textContent === pending.text)
        )
          bubble("shopper", pending.text);
      } else if (pending) bubble("shopper", pending.text);
    } catch {
      note(say(navigator.onLine ? "failed" : "offline"));
    }
    showWho();
    if (pending) listen();
  }
  function startOver() {
    keep({ conversation: null, pending: null, last: null });
    log.replaceChildren();
    proposals.clear();
    cards.clear();
    shown.clear();
    attended.hidden = true;
    bubble("system", say("hello"));
    showWho();
    input.focus();
  }
  function ask(label, type, action, submit) {
    const field = make("input", {
      type,
      required: true,
      autocomplete: type === "email" ? "email" : "one-time-code",
      "aria-label": label,
      placeholder: label,
      ...(type === "text" && { inputmode: "numeric", pattern: "[0-9 ]{8,9}" }),
    });
    codeForm.replaceChildren(
      make(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            submit(field.value.trim());
          },
        },
        make("label", {}, label, field),
        make(
          "div.buttons",
          {},
          make("button.go", { type: "submit" }, action),
          make("button", { type: "button", onclick: leave }, say("back")),
        ),
      ),
    );
    codeForm.hidden = false;
    form.hidden = true;
    field.focus();
  }
  function leave() {
    codeForm.hidden = true;
    form.hidden = false;
    input.focus();
  }
  function askForEmail() {
    ask(say("email"), "email", say("mailCode"), async (email) => {
      try {
        await call("POST", "/v1/sessions/code-requests", { email }, { "x-store-key": storeKey });
      } catch {
        return note(say("failed"));
      }
      note("");
      ask(say("code", email), "text", say("signIn"), async (code) => {
        try {
          enter(await postAsStore("/v1/sessions/code", { email, code: code.replace(/ /g, "") }));
        } catch {
          return note(say("badCode"));
        }
        leave();
        showWho();
        note(say("signedIn"));
        cards.clear();
        log.querySelectorAll(".assistant .text").forEach((it) => {
          orderCards(it.textContent);
        });
        watch().catch(() => {});
      });
    });
  }
  async function signOut() {
    try {
      await call("DELETE", "/v1/sessions/current");
    } catch {
      /* the session expires by itself */
    }
    forget();
    startOver();
    note(say("signedOut"));
  }

  const attach = () => {
    document.body.append(host);
    if (script.dataset.open !== undefined || kept.open) toggle(true);
  };
  if (document.body) attach();
  else addEventListener("DOMContentLoaded", attach);
})();
