// Built from dashboard/src (8914b9c3adb7916c): change that, then npm run build.
"use strict";
(() => {
  var __create = Object.create;
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __getProtoOf = Object.getPrototypeOf;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __commonJS = (cb, mod) => function __require() {
    try {
      return mod || (0, cb[__getOwnPropNames(cb)[0]])((mod = { exports: {} }).exports, mod), mod.exports;
    } catch (e) {
      throw mod = 0, e;
    }
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
    // If the importer is in node compatibility mode or this is not an ESM
    // file that has been converted to a CommonJS file using a Babel-
    // compatible transform (i.e. "__esModule" has not been set), then set
    // "default" to the CommonJS "module.exports" for node compatibility.
    isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
    mod
  ));

  // src/react.ts
  var require_react = __commonJS({
    "src/react.ts"(exports, module) {
      "use strict";
      module.exports = window.__HERMES_PLUGIN_SDK__.React;
    }
  });

  // src/index.tsx
  var React22 = __toESM(require_react());

  // src/address.ts
  var import_react = __toESM(require_react());
  function toList(filter) {
    const query = new URLSearchParams();
    if (filter.profile) query.set("profile", filter.profile);
    if (filter.state) query.set("state", filter.state);
    if (filter.before !== null) query.set("before", String(filter.before));
    return `#/?${query}`;
  }
  var toExperiment = (id) => `#/experiments/${id}`;
  var toLabels = (id) => `#/experiments/${id}/label`;
  var toProfile = (name) => `#/profiles/${encodeURIComponent(name)}`;
  function placeIn(hash) {
    const experiment = /^#\/experiments\/([1-9]\d{0,15})(\/label)?$/.exec(hash);
    if (experiment) return { view: experiment[2] ? "label" : "experiment", id: Number(experiment[1]) };
    const profile = /^#\/profiles\/([^/]+)$/.exec(hash);
    if (profile) return { view: "profile", name: decoded(profile[1] ?? "") };
    if (hash === "#/profiles") return { view: "profiles" };
    return hash === "#/trust" ? { view: "trust" } : { view: "list", filter: filterIn(hash) };
  }
  function filterIn(hash) {
    const query = new URLSearchParams(hash.startsWith("#/?") ? hash.slice(3) : "");
    const before = /^[1-9]\d{0,15}$/.exec(query.get("before") ?? "");
    return { profile: query.get("profile") ?? "", state: query.get("state") ?? "", before: before && Number(before[0]) };
  }
  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }
  function usePlace() {
    const [hash, setHash] = (0, import_react.useState)(window.location.hash);
    (0, import_react.useEffect)(() => {
      const update = () => setHash(window.location.hash);
      window.addEventListener("hashchange", update);
      return () => window.removeEventListener("hashchange", update);
    }, []);
    return placeIn(hash);
  }

  // src/detail.tsx
  var React16 = __toESM(require_react());

  // src/sdk.ts
  var PLUGIN = "karpathy-self-improve";
  var ROUTES = `/api/plugins/${PLUGIN}`;
  var { buildWsUrl, fetchJSON, utils } = window.__HERMES_PLUGIN_SDK__;

  // src/api.ts
  async function call(path, init) {
    return await fetchJSON(`${ROUTES}${path}`, init);
  }
  function post(path, body) {
    return call(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body)
    });
  }
  var PAGE = 50;
  var health = () => call("/health");
  function experiments(profile, state, before) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (profile) query.set("profile", profile);
    if (state) query.set("state", state);
    if (before !== null) query.set("before", String(before));
    return call(`/experiments?${query}`);
  }
  var review = (id) => call(`/experiments/${id}/report`);
  var history = (id) => call(`/experiments/${id}/history`);
  var live = (id) => call(`/experiments/${id}/live`);
  var runningJobs = async () => (await call("/jobs?state=running&limit=20")).jobs;
  var act = (id, decision, body) => post(`/experiments/${id}/${decision}`, body);
  async function proposeAgain(id) {
    return (await post(`/experiments/${id}/again`, {})).experiment_id;
  }
  var profiles = async () => (await call("/profiles")).profiles;
  async function scenarios(profile) {
    const query = new URLSearchParams({ profile, include_holdout: "true" });
    return (await call(`/scenarios?${query}`)).scenarios;
  }
  var pause = (profile, reason) => post(`/profiles/${encodeURIComponent(profile)}/pause`, { reason });
  var resume = (profile, signed) => post(`/profiles/${encodeURIComponent(profile)}/resume`, { ...signed });
  async function askProposer(profile) {
    const answer = await post("/propose", { profile });
    return "skipped" in answer ? `No change is looked for now, because ${answer.reason}.` : `Job ${answer.job_id} looks for a change. It shows in the list once there is one.`;
  }
  var unlock = (profile, signed) => post("/reviewers/unlock", { profile, ...signed });
  var reviewers = () => call("/reviewers");
  var challenge = (question, signer) => post("/reviewers/challenge", { ...question, signer });
  var verifyAudit = () => call("/audit/verify");
  var sayOfSession = (profile, session, good) => post("/feedback", { profile, session_id: session, good });
  var remember = (profile, session, note) => post("/scenarios/from-session", { profile, session_id: session, ...note && { note } });
  var unlabelled = (id) => call(`/experiments/${id}/unlabelled?limit=1`);
  var label = (result, passed, note) => post(`/results/${result}/labels`, { passed, ...note && { note } });

  // src/decisions.tsx
  var React6 = __toESM(require_react());

  // src/actions.tsx
  var React4 = __toESM(require_react());

  // src/ask.tsx
  var React3 = __toESM(require_react());

  // src/hooks.ts
  var import_react2 = __toESM(require_react());

  // src/failures.ts
  var HOST_SAYS = {
    "401": "The server does not know this browser any more. Reload the page.",
    "404": "The server has no such route: the plugin may be switched off. Switch it on: hermes plugins enable karpathy-self-improve"
  };
  function failureOf(thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const parts = /^(\d{3}): (.*)$/s.exec(message);
    if (!parts) return { text: unreached(thrown, message), code: "unreached" };
    const [, status = "", body = ""] = parts;
    const said = ours(body);
    if (said) return said;
    return { text: HOST_SAYS[status] ?? `The server answered ${status}: ${body.slice(0, 300)}`, code: status };
  }
  function ours(body) {
    try {
      const parsed2 = JSON.parse(body);
      if (!parsed2 || typeof parsed2 !== "object" || !("error" in parsed2)) return null;
      return { text: onThisPage(String(parsed2.error)), code: "code" in parsed2 ? String(parsed2.code) : "" };
    } catch {
      return null;
    }
  }
  var BUTTONS = [
    ["give a reason with --override", 'choose "Approve all the same" and give a reason'],
    ["write over it with --force", 'choose "Revert over the edit"'],
    ["needs a reason (--reason)", "needs a reason"]
  ];
  function onThisPage(text) {
    return BUTTONS.reduce((said, [flag, button]) => said.replace(flag, button), text);
  }
  function unreached(thrown, message) {
    if (thrown instanceof TypeError) return "The server does not answer. Is it running? This page goes on trying.";
    return message;
  }

  // src/tail.ts
  var FIRST_WAIT_MS = 1e3;
  var LONGEST_WAIT_MS = 15e3;
  var listeners = [];
  var watchers = [];
  var socket = null;
  var cursor = null;
  var wait = FIRST_WAIT_MS;
  var timer = 0;
  var heard = false;
  var isHeard = () => heard;
  function listen(listener) {
    listeners = [...listeners, listener];
    if (listeners.length === 1) void open();
    return () => {
      listeners = listeners.filter((one) => one !== listener);
      if (listeners.length === 0) close();
    };
  }
  function watchConnection(watcher) {
    watchers = [...watchers, watcher];
    return () => {
      watchers = watchers.filter((one) => one !== watcher);
    };
  }
  function setHeard(value) {
    if (heard === value) return;
    heard = value;
    for (const watcher of watchers) watcher();
  }
  async function open() {
    let url;
    try {
      url = await buildWsUrl(`${ROUTES}/events`, cursor === null ? {} : { since: String(cursor) });
    } catch {
      return later();
    }
    if (listeners.length === 0 || socket) return;
    const mine = new WebSocket(url);
    socket = mine;
    mine.onmessage = (message) => {
      if (mine === socket) take(String(message.data));
    };
    mine.onclose = () => {
      if (mine !== socket) return;
      socket = null;
      setHeard(false);
      if (listeners.length > 0) later();
    };
  }
  function take(text) {
    const batch = JSON.parse(text);
    if (batch.events === void 0 || batch.cursor === void 0) return;
    const first = cursor === null;
    cursor = batch.cursor;
    wait = FIRST_WAIT_MS;
    setHeard(true);
    for (const listener of listeners) listener(first ? null : batch.events);
  }
  function later() {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (listeners.length > 0 && !socket) void open();
    }, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
  function close() {
    clearTimeout(timer);
    const mine = socket;
    socket = null;
    cursor = null;
    heard = false;
    mine?.close();
  }

  // src/hooks.ts
  var DEAF_MS = 5e3;
  var HEARING_MS = 6e4;
  var TOGETHER_MS = 300;
  var ANY = () => true;
  function useFresh(load, concerns = ANY, everyMs = HEARING_MS) {
    const [value, setValue] = (0, import_react2.useState)(null);
    const [error, setError] = (0, import_react2.useState)(null);
    const newest = (0, import_react2.useRef)(0);
    const refresh = (0, import_react2.useCallback)(() => {
      const mine = ++newest.current;
      load().then(
        (found) => {
          if (mine !== newest.current) return;
          setValue(found);
          setError(null);
        },
        (thrown) => {
          if (mine === newest.current) setError(failureOf(thrown).text);
        }
      );
    }, [load]);
    (0, import_react2.useEffect)(() => {
      setValue(null);
      setError(null);
      refresh();
      return () => void newest.current++;
    }, [refresh]);
    (0, import_react2.useEffect)(() => {
      let soon = 0;
      let last = Date.now();
      const now = () => {
        soon = 0;
        last = Date.now();
        refresh();
      };
      const stop = listen((happened) => {
        if (soon === 0 && (happened === null || happened.some(concerns))) soon = window.setTimeout(now, TOGETHER_MS);
      });
      const timer2 = setInterval(() => {
        if (!document.hidden && Date.now() - last >= (isHeard() ? everyMs : DEAF_MS)) now();
      }, 1e3);
      return () => {
        stop();
        clearTimeout(soon);
        clearInterval(timer2);
      };
    }, [refresh, concerns, everyMs]);
    return { value, error, refresh };
  }
  function useConnected() {
    const [connected, setConnected] = (0, import_react2.useState)(true);
    (0, import_react2.useEffect)(() => watchConnection(() => setConnected(isHeard())), []);
    return connected;
  }
  function useEscape(place, close2) {
    (0, import_react2.useEffect)(() => {
      const heard2 = (event) => {
        const form = event.target instanceof Element ? event.target.closest(".ksi-ask") : null;
        if (event.key === "Escape" && !event.isComposing && (form === null || form === place.current)) close2();
      };
      document.addEventListener("keydown", heard2);
      return () => document.removeEventListener("keydown", heard2);
    }, [place, close2]);
  }
  function useCountdown(at) {
    const left = () => at === null ? 0 : Math.max(0, Math.ceil((Date.parse(at) - Date.now()) / 1e3));
    const [seconds, setSeconds] = (0, import_react2.useState)(left);
    (0, import_react2.useEffect)(() => {
      setSeconds(left());
      const timer2 = setInterval(() => setSeconds(left()), 1e3);
      return () => clearInterval(timer2);
    }, [at]);
    return seconds;
  }

  // src/parts.tsx
  var React = __toESM(require_react());
  var INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb]|[\u{1d173}-\u{1d17a}\u{e0000}-\u{10ffff}]/gu;
  function visible(text) {
    return text.replace(INVISIBLE, (found) => {
      const code = found.codePointAt(0) ?? 0;
      return `\u27E8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27E9`;
    });
  }
  function firstLine(text) {
    const line = (text ?? "").trim().split("\n", 1)[0] ?? "";
    return visible(line.length > 160 ? `${line.slice(0, 159)}\u2026` : line);
  }
  var percent = (share) => share === null ? "\u2014" : `${Math.round(share * 100)} %`;
  function points(difference) {
    const rounded = Math.round(difference * 100);
    return `${rounded > 0 ? "+" : rounded < 0 ? "\u2212" : "\xB1"}${Math.abs(rounded)}`;
  }
  var many = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;
  function StateBadge({ state }) {
    return /* @__PURE__ */ React.createElement("span", { className: `ksi-badge ksi-${state}` }, state);
  }
  function Ago({ at }) {
    return /* @__PURE__ */ React.createElement("time", { dateTime: at, title: at }, utils.isoTimeAgo(at));
  }
  function Problem({ text }) {
    return text === null ? null : /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-problem", role: "alert" }, visible(text));
  }
  function Loading() {
    return /* @__PURE__ */ React.createElement("p", { className: "ksi-empty" }, "Loading\u2026");
  }
  function Facts({ facts }) {
    const known = facts.filter(([, value]) => value !== null);
    if (known.length === 0) return null;
    return /* @__PURE__ */ React.createElement("dl", { className: "ksi-facts" }, known.map(([name, value]) => /* @__PURE__ */ React.createElement("div", { key: name }, /* @__PURE__ */ React.createElement("dt", null, name), /* @__PURE__ */ React.createElement("dd", null, visible(value ?? "")))));
  }
  function Sentences({ title, all }) {
    if (all.length === 0) return null;
    return /* @__PURE__ */ React.createElement(React.Fragment, null, /* @__PURE__ */ React.createElement("h4", null, title), /* @__PURE__ */ React.createElement("ul", { className: "ksi-sentences" }, all.map((one, index) => /* @__PURE__ */ React.createElement("li", { key: index }, visible(one)))));
  }
  function Warnings({ health: health2 }) {
    const connected = useConnected();
    if (health2 === null) return null;
    return /* @__PURE__ */ React.createElement(React.Fragment, null, !connected && /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React.createElement("strong", null, "Not connected."), " What happens is asked for every few seconds until the connection is back; nothing is lost."), health2.approval === "unsigned" && /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React.createElement("strong", null, "approval: unsigned."), " Decisions on this machine carry no reviewer's signature: whoever can open this page can approve."), !health2.daemon.alive && /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React.createElement("strong", null, "Nobody is watching."), " No daemon is alive, so nothing is evaluated, applied or taken back. Start one: ", /* @__PURE__ */ React.createElement("code", null, "hermes ratchet daemon")));
  }
  var Boundary = class extends React.Component {
    constructor() {
      super(...arguments);
      this.state = { fault: null };
    }
    static getDerivedStateFromError(thrown) {
      return { fault: thrown instanceof Error ? thrown.message : String(thrown) };
    }
    render() {
      if (this.state.fault === null) return this.props.children;
      return /* @__PURE__ */ React.createElement(Problem, { text: `This page failed: ${this.state.fault}. Reload it; the experiments themselves are untouched.` });
    }
  };

  // src/signing.tsx
  var React2 = __toESM(require_react());
  var { useEffect: useEffect3, useRef: useRef2, useState: useState3 } = React2;
  function kindOf(line, index, lines2) {
    const names = lines2.findIndex((one) => one.startsWith("@@ ")) - index;
    if (line.startsWith("@@ ") || names === 1 || names === 2) return "file";
    if (line.startsWith("+")) return "added";
    return line.startsWith("-") ? "removed" : "same";
  }
  function Words({ text }) {
    const place = useRef2(null);
    useEffect3(() => place.current?.focus({ preventScroll: true }), []);
    return /* @__PURE__ */ React2.createElement("pre", { className: "ksi-diff ksi-signed", ref: place, tabIndex: 0, "aria-label": "what is signed" }, text.split("\n").map((line, index, lines2) => /* @__PURE__ */ React2.createElement("div", { key: index, className: `ksi-line ksi-line-${kindOf(line, index, lines2)}` }, visible(line) || " ")));
  }
  function Signing({ asked, action: action2, busy, sign, back, cancel }) {
    const [passphrase, setPassphrase] = useState3("");
    const left = useCountdown(asked.expires_at);
    return /* @__PURE__ */ React2.createElement(
      "form",
      {
        onSubmit: (event) => {
          event.preventDefault();
          if (passphrase && !busy && left) void sign(passphrase);
          setPassphrase("");
        }
      },
      /* @__PURE__ */ React2.createElement("p", { className: "ksi-muted" }, "This is what you sign. Read it; then your passphrase signs exactly that."),
      /* @__PURE__ */ React2.createElement(Words, { text: asked.words }),
      /* @__PURE__ */ React2.createElement("div", { className: "ksi-field" }, /* @__PURE__ */ React2.createElement("label", { htmlFor: "ksi-passphrase" }, "Passphrase"), /* @__PURE__ */ React2.createElement(
        "input",
        {
          id: "ksi-passphrase",
          type: "password",
          autoComplete: "off",
          value: passphrase,
          onChange: (event) => setPassphrase(event.target.value)
        }
      )),
      /* @__PURE__ */ React2.createElement("div", { className: "ksi-actions" }, /* @__PURE__ */ React2.createElement(
        "button",
        {
          className: `ksi-go ksi-tone-${action2.tone} ksi-sign`,
          type: "submit",
          disabled: busy || !passphrase || !left
        },
        busy ? "Signing\u2026" : `Sign: ${action2.label}`
      ), /* @__PURE__ */ React2.createElement("button", { className: "ksi-go", type: "button", disabled: busy, onClick: back }, "Back"), /* @__PURE__ */ React2.createElement("button", { className: "ksi-go", type: "button", disabled: busy, onClick: cancel }, "Cancel"), !left && /* @__PURE__ */ React2.createElement("span", { className: "ksi-muted", role: "status" }, "The ten minutes to sign this are over. Go back and look again."))
    );
  }

  // src/words.ts
  var import_react3 = __toESM(require_react());
  var NOBODY = "There is no reviewer yet. Make one on a terminal: hermes ratchet reviewer add NAME";
  function useReviewers(needed) {
    const [known, setKnown] = (0, import_react3.useState)(null);
    const [error, setError] = (0, import_react3.useState)(null);
    (0, import_react3.useEffect)(() => {
      if (needed) reviewers().then(setKnown, (thrown) => setError(failureOf(thrown).text));
    }, [needed]);
    const nobody = known && known.reviewers.length === 0 ? NOBODY : null;
    return { known, trouble: error ?? known?.trouble ?? nobody };
  }
  function useWords(action2) {
    const [asked, setAsked] = (0, import_react3.useState)(null);
    const [asking, setAsking] = (0, import_react3.useState)(false);
    const [error, setError] = (0, import_react3.useState)(null);
    async function lay(reason, signer) {
      if (!action2.signed) return;
      setAsking(true);
      setError(null);
      try {
        const found = await challenge({ ...action2.signed, ...action2.why && { reason } }, signer);
        checkSeen(found, action2.candidate);
        setAsked(found);
      } catch (thrown) {
        setError(failureOf(thrown).text);
      }
      setAsking(false);
    }
    return { asked, asking, error, lay, takeAway: () => setAsked(null) };
  }
  function checkSeen(asked, candidate) {
    const { candidate_sha256: signed } = JSON.parse(asked.payload);
    if (!candidate || signed === candidate) return;
    throw new Error("What would be signed is not the change shown here. Reload the page and look again.");
  }

  // src/ask.tsx
  var { useCallback: useCallback2, useEffect: useEffect5, useId, useRef: useRef3, useState: useState5 } = React3;
  var SAME_AGAIN = ["wrong_passphrase", "too_many_attempts", "key_unusable", "unreached"];
  function Reason({ question, value, set, locked }) {
    const id = useId();
    return /* @__PURE__ */ React3.createElement("div", { className: "ksi-field" }, /* @__PURE__ */ React3.createElement("label", { htmlFor: id }, question), /* @__PURE__ */ React3.createElement(
      "textarea",
      {
        id,
        className: "ksi-reason",
        rows: 2,
        maxLength: 1e3,
        readOnly: locked,
        value,
        onChange: (event) => set(event.target.value)
      }
    ));
  }
  function Signer({ known, value, set, locked }) {
    return /* @__PURE__ */ React3.createElement("div", { className: "ksi-field" }, /* @__PURE__ */ React3.createElement("label", { htmlFor: "ksi-signer" }, "Signed by"), /* @__PURE__ */ React3.createElement("select", { id: "ksi-signer", value, disabled: locked, onChange: (event) => set(event.target.value) }, known.reviewers.map((one) => /* @__PURE__ */ React3.createElement("option", { key: one.public_key, value: one.public_key }, visible(one.name)))));
  }
  function Begin(props) {
    const { action: action2 } = props;
    return /* @__PURE__ */ React3.createElement("div", { className: "ksi-actions" }, /* @__PURE__ */ React3.createElement("button", { className: `ksi-go ksi-tone-${action2.tone}`, type: "submit", disabled: !props.ready }, action2.signed ? "Show what is signed" : action2.label), /* @__PURE__ */ React3.createElement("button", { className: "ksi-go", type: "button", disabled: props.busy, onClick: props.cancel }, "Cancel"));
  }
  function Ask({ action: action2, busy, answer, cancel }) {
    const [text, setText] = useState5("");
    const [chosen, setChosen] = useState5(null);
    const { known, trouble } = useReviewers(action2.signed !== void 0);
    const { asked, asking, error, lay, takeAway } = useWords(action2);
    const reason = text.trim();
    const signer = chosen ?? known?.reviewers[0]?.public_key ?? "";
    const told = !action2.why || action2.optional || reason !== "";
    const ready = told && (!action2.signed || signer !== "" && !trouble) && !busy && !asking;
    const locked = asked !== null;
    const waiting = action2.signed !== void 0 && !known && !trouble;
    const place = useRef3(null);
    useEscape(
      place,
      useCallback2(() => {
        if (!busy) cancel();
      }, [busy, cancel])
    );
    useEffect5(() => {
      if (!waiting && !locked) place.current?.querySelector("textarea, select, button:enabled")?.focus();
    }, [waiting, locked]);
    async function sign(passphrase) {
      if (!asked) return;
      const reviewer = known?.reviewers.find((one) => one.public_key === signer)?.name ?? "";
      const failure = await answer(reason, { reviewer, passphrase, payload: asked.payload });
      if (failure && !SAME_AGAIN.includes(failure.code)) takeAway();
    }
    function begin(event) {
      event.preventDefault();
      if (ready && !locked) void (action2.signed ? lay(reason, signer) : answer(reason, null));
    }
    if (waiting) return /* @__PURE__ */ React3.createElement(Loading, null);
    return /* @__PURE__ */ React3.createElement("div", { className: "ksi-ask", role: "group", "aria-label": action2.label, ref: place }, /* @__PURE__ */ React3.createElement(Problem, { text: trouble ?? error }), /* @__PURE__ */ React3.createElement("form", { onSubmit: begin }, action2.why && /* @__PURE__ */ React3.createElement(Reason, { question: action2.why, value: text, set: setText, locked }), known && !trouble && /* @__PURE__ */ React3.createElement(Signer, { known, value: signer, set: setChosen, locked }), !asked && /* @__PURE__ */ React3.createElement(Begin, { action: action2, ready, busy, cancel })), asked && /* @__PURE__ */ React3.createElement(Signing, { asked, action: action2, busy, sign, back: takeAway, cancel }));
  }

  // src/actions.tsx
  var { useCallback: useCallback3, useEffect: useEffect6, useRef: useRef4, useState: useState6 } = React4;
  function useWayBack(open2) {
    const place = useRef4(null);
    const last = useRef4(null);
    useEffect6(() => {
      if (open2 === null && last.current) place.current?.querySelector(`.ksi-go-${last.current}`)?.focus();
      last.current = open2;
    }, [open2]);
    return place;
  }
  function Actions({ actions: actions3, done, failed }) {
    const [name, setName] = useState6(null);
    const [busy, setBusy] = useState6(false);
    const [error, setError] = useState6(null);
    const [notice, setNotice] = useState6(null);
    const chosen = actions3.find((one) => one.name === name);
    const place = useWayBack(name);
    async function carryOut(action2, reason, signature) {
      setBusy(true);
      setError(null);
      try {
        const said = await action2.send(reason, signature);
        setNotice(typeof said === "string" ? said : null);
        setName(null);
        return null;
      } catch (thrown) {
        const failure = failureOf(thrown);
        setError(failure.text);
        failed?.(failure);
        return failure;
      } finally {
        setBusy(false);
        done();
      }
    }
    const cancel = useCallback3(() => {
      setError(null);
      setName(null);
    }, []);
    function choose(action2) {
      setError(null);
      setNotice(null);
      if (action2.why || action2.signed) setName(action2.name);
      else void carryOut(action2, "", null);
    }
    if (actions3.length === 0 && error === null) return null;
    return /* @__PURE__ */ React4.createElement("div", { className: "ksi-deciding", "aria-busy": busy, ref: place }, chosen ? /* @__PURE__ */ React4.createElement(
      Ask,
      {
        key: chosen.name,
        action: chosen,
        busy,
        answer: (reason, signature) => carryOut(chosen, reason, signature),
        cancel
      }
    ) : /* @__PURE__ */ React4.createElement("div", { className: "ksi-actions" }, actions3.map((one) => /* @__PURE__ */ React4.createElement(
      "button",
      {
        key: one.name,
        type: "button",
        className: `ksi-go ksi-tone-${one.tone} ksi-go-${one.name}`,
        disabled: busy,
        onClick: () => choose(one)
      },
      one.label
    ))), /* @__PURE__ */ React4.createElement(Problem, { text: error }), notice && /* @__PURE__ */ React4.createElement("p", { className: "ksi-note", role: "status" }, visible(notice)));
  }

  // src/measured.tsx
  var React5 = __toESM(require_react());
  var PASSED = "passed";
  var TONES = { [PASSED]: "good", failed: "bad", "blocked by a critical scenario": "bad" };
  function Measured({ of }) {
    const { evaluation_status: status, verdict, baseline_score: before, offline_score: after } = of;
    if (status !== "finished") return /* @__PURE__ */ React5.createElement(React5.Fragment, null, visible(status));
    return /* @__PURE__ */ React5.createElement(React5.Fragment, null, verdict && /* @__PURE__ */ React5.createElement("span", { className: `ksi-badge ksi-tone-${TONES[verdict] ?? "unsure"}` }, visible(verdict)), " ", /* @__PURE__ */ React5.createElement("span", { className: "ksi-numbers" }, before === null && after === null ? !verdict && status : `${percent(before)} \u2192 ${percent(after)}`));
  }

  // src/decisions.tsx
  var { useState: useState7 } = React6;
  function action({ experiment }, name, made) {
    const { id, candidate_sha256 } = experiment;
    return {
      name,
      label: made.label,
      tone: made.tone,
      candidate: candidate_sha256,
      ...made.why && { why: made.why },
      ...made.purpose && {
        signed: { purpose: made.purpose, experiment: id, ...made.choice && { decision: made.choice } }
      },
      send: (reason, signature) => act(id, made.decision, { ...made.body(reason), ...signature })
    };
  }
  function toApprove(known) {
    const { experiment, signedHere } = known;
    const seen = { candidate_sha256: experiment.candidate_sha256 };
    const measured = experiment.evaluation_status === "finished";
    const verdict = measured && experiment.verdict;
    const approve = action(known, "approve", {
      label: "Approve",
      tone: "good",
      decision: "approve",
      purpose: signedHere && "approve",
      body: () => seen
    });
    const override = action(known, "override", {
      label: measured ? "Approve all the same" : "Approve unmeasured",
      tone: "plain",
      decision: "approve",
      why: measured ? `The verdict of its evaluation: ${verdict || "none"}. Why approve it all the same?` : "It is not measured. Why approve it all the same?",
      purpose: signedHere && "override",
      body: (reason) => ({ ...seen, override_reason: reason })
    });
    return verdict === PASSED ? [approve, override] : [override];
  }
  function toReject(known) {
    const withdrawn = known.experiment.state === "approved";
    return action(known, withdrawn ? "withdraw" : "reject", {
      label: withdrawn ? "Withdraw approval" : "Reject",
      tone: "bad",
      decision: "reject",
      why: withdrawn ? "Why is the approval withdrawn?" : "Why is it rejected?",
      body: (reason) => ({ reason })
    });
  }
  function toForce(known, decision) {
    if (!known.drifted) return [];
    return [
      action(known, "force", {
        label: decision === "apply" ? "Apply over the edit" : "Revert over the edit",
        tone: "bad",
        decision,
        why: "The file was edited since. Why write over that edit?",
        purpose: "force",
        body: (reason) => ({ reason, force: true })
      })
    ];
  }
  function toRevert(known) {
    return action(known, "revert", {
      label: "Revert",
      tone: "bad",
      decision: "revert",
      why: "Why is it taken back?",
      purpose: known.experiment.state === "verified" && known.signedHere && "revert-verified",
      body: (reason) => ({ reason })
    });
  }
  function toDecide(known) {
    const choices = {
      keep: ["Keep it", "good", "Its window was unclear. Why keep it?"],
      revert: ["Take it back", "bad", "Why is it taken back?"]
    };
    return ["keep", "revert"].map((choice) => {
      const [label2, tone, why] = choices[choice];
      return action(known, `decide-${choice}`, {
        label: label2,
        tone,
        why,
        choice,
        decision: "decide",
        purpose: known.signedHere && "decide",
        body: (reason) => ({ decision: choice, reason })
      });
    });
  }
  function actions(known) {
    const { experiment, asks } = known;
    const evaluate = action(known, "evaluate", {
      label: "Evaluate again",
      tone: "plain",
      decision: "evaluate",
      body: () => ({})
    });
    const apply = action(known, "apply", { label: "Apply", tone: "good", decision: "apply", body: () => ({}) });
    const again = {
      name: "again",
      label: "Propose again",
      tone: "plain",
      send: async () => void (window.location.hash = toExperiment(await proposeAgain(experiment.id)))
    };
    const measuring = experiment.evaluation_status === "queued" || experiment.evaluation_status === "running";
    switch (experiment.state) {
      case "proposed":
        return [...toApprove(known), toReject(known), ...measuring ? [] : [evaluate]];
      case "approved":
        return [apply, ...toForce(known, "apply"), toReject(known)];
      case "live":
        return [...asks ? toDecide(known) : [toRevert(known)], ...toForce(known, "revert")];
      case "verified":
        return [toRevert(known), ...toForce(known, "revert")];
      default:
        return [again];
    }
  }
  function Decisions({ experiment, house, asks, drifted, done }) {
    const [refused, setRefused] = useState7(false);
    const failed = (failure) => setRefused(failure.code === "file_drifted");
    const known = {
      experiment,
      signedHere: house.approval !== "unsigned",
      asks,
      drifted: drifted || refused || experiment.manual_conflict_detected === 1
    };
    return /* @__PURE__ */ React6.createElement("section", { "aria-label": "Decide" }, asks && /* @__PURE__ */ React6.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React6.createElement("strong", null, "A person decides."), " The live window ended without being able to tell."), /* @__PURE__ */ React6.createElement(Actions, { actions: actions(known), done, failed }));
  }

  // src/diff.tsx
  var React7 = __toESM(require_react());
  function kindOf2(line, index) {
    if (index < 2) return "file";
    if (line.startsWith("@@")) return "hunk";
    if (line.startsWith("+")) return "added";
    return line.startsWith("-") ? "removed" : "same";
  }
  function Diff({ text }) {
    const lines2 = text.replace(/\n$/, "").split("\n");
    return /* @__PURE__ */ React7.createElement("pre", { className: "ksi-diff", "aria-label": "diff" }, lines2.map((line, index) => /* @__PURE__ */ React7.createElement("div", { key: index, className: `ksi-line ksi-line-${kindOf2(line, index)}` }, visible(line) || " ")));
  }
  var TAGS = { same: "span", removed: "del", added: "ins" };
  function WordDiff({ words }) {
    return /* @__PURE__ */ React7.createElement("details", { className: "ksi-more" }, /* @__PURE__ */ React7.createElement("summary", null, "Word by word"), /* @__PURE__ */ React7.createElement("pre", { className: "ksi-words" }, words.map((one, index) => React7.createElement(TAGS[one.change], { key: index }, visible(one.text)))));
  }
  var SIDES = { base: "Today's text", candidate: "The candidate" };
  function Hidden({ found }) {
    if (found.length === 0) return null;
    return /* @__PURE__ */ React7.createElement("div", { className: "ksi-note ksi-problem" }, /* @__PURE__ */ React7.createElement("strong", null, "Characters that do not show, or show as others:"), /* @__PURE__ */ React7.createElement("ul", { className: "ksi-sentences" }, found.slice(0, 20).map((one, index) => /* @__PURE__ */ React7.createElement("li", { key: index }, `${SIDES[one.side]}, line ${one.line}, column ${one.column}: ${one.name} (${one.code})`)), found.length > 20 && /* @__PURE__ */ React7.createElement("li", null, `and ${found.length - 20} more`)));
  }
  function Change({ review: review2 }) {
    const over = review2.experiment.state === "rejected" || review2.experiment.state === "reverted";
    return /* @__PURE__ */ React7.createElement("section", { "aria-label": "The change" }, review2.drifted && !over && /* @__PURE__ */ React7.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React7.createElement("strong", null, "The file was edited since."), " It is not the version that this experiment knows; nothing overwrites that edit unless a reviewer signs for it."), /* @__PURE__ */ React7.createElement(Hidden, { found: review2.invisible_characters }), /* @__PURE__ */ React7.createElement(Diff, { text: review2.experiment.diff }), /* @__PURE__ */ React7.createElement(WordDiff, { words: review2.word_diff }));
  }

  // src/evaluation.tsx
  var React10 = __toESM(require_react());

  // src/grounds.tsx
  var React8 = __toESM(require_react());
  var chance = (p) => p < 1e-3 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
  function* split(found, name) {
    const counted = `${found.wins} won, ${found.losses} lost, ${found.ties} tied`;
    const left = found.without_result ? `, ${found.without_result} without a result` : "";
    const range = found.interval && ` (${percent(found.interval.confidence)} interval: ${points(found.interval.low)} to ${points(found.interval.high)})`;
    const effect = found.difference === null ? "" : `; ${points(found.difference)} points${range ?? ""}`;
    yield `On ${many(found.scenarios, `${name} scenario`)}: ${counted}${left}${effect}.`;
    yield `By chance alone it would look at least as good with ${chance(found.p)}; ${found.level.toFixed(3)} or less convinces.`;
    if (found.detectable !== null)
      yield `A gain of ${points(found.detectable)} points would have been seen in four of five such comparisons.`;
    else if (found.scenarios_needed !== null)
      yield `It would take ${found.scenarios_needed} such scenarios to see any gain.`;
  }
  function worn(set) {
    const asked = `was asked about ${many(set.confirmations, "change")} of the ${set.planned} planned`;
    return `The held-out set (version ${set.version}, ${many(set.scenarios, "scenario")}) ${asked}, and reviewers looked at it ${many(set.reveals, "time")}.`;
  }
  function steady(found) {
    const names = found.unsteady.map((one) => one.name).join(", ");
    const share = `Two runs of today's text disagree in ${percent(found.flip_rate)} of all cases; ${percent(found.limit)} are allowed`;
    return names ? `${share}. Unsteady: ${names}.` : `${share}.`;
  }
  function* sureness(report) {
    if (report.train) yield* split(report.train, "train");
    if (report.holdout) {
      yield* split(report.holdout, "held-out");
      if (!report.holdout.fresh) yield "The held-out runs are those of an earlier evaluation of this change.";
    }
    if (report.holdout_set) yield worn(report.holdout_set);
    if (report.steadiness) yield steady(report.steadiness);
  }
  function lines(facts) {
    return Object.entries(facts).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n");
  }
  function Measured2({ report }) {
    const rest = { repeats: report.repeats, isolation: report.isolation, tokens: report.tokens };
    const parts = { models: report.models, seeds: report.seeds, hashes: report.hashes, seconds: report.seconds, rest };
    return /* @__PURE__ */ React8.createElement("details", { className: "ksi-more" }, /* @__PURE__ */ React8.createElement("summary", null, "With what it was measured"), /* @__PURE__ */ React8.createElement("pre", { className: "ksi-words" }, visible(Object.values(parts).map(lines).filter(Boolean).join("\n"))));
  }
  function Grounds({ report }) {
    return /* @__PURE__ */ React8.createElement(React8.Fragment, null, /* @__PURE__ */ React8.createElement(Sentences, { title: "Why", all: report.reasons.map((one) => one.words) }), /* @__PURE__ */ React8.createElement(Sentences, { title: "How sure that is", all: [...sureness(report)] }), /* @__PURE__ */ React8.createElement(Sentences, { title: "Failures it answers", all: report.answers.map((one) => `${one.name}: ${one.answer}.`) }), /* @__PURE__ */ React8.createElement(Measured2, { report }));
  }

  // src/runs.tsx
  var React9 = __toESM(require_react());
  function parsed(text, otherwise) {
    try {
      return JSON.parse(text);
    } catch {
      return otherwise;
    }
  }
  function outcome(result) {
    if (result.pass_fail === null) return "no result";
    return result.pass_fail === 1 ? "passed" : "failed";
  }
  function Run({ result }) {
    const checks = parsed(result.check_results, []);
    const { answer } = parsed(result.transcript, {});
    return /* @__PURE__ */ React9.createElement("li", null, /* @__PURE__ */ React9.createElement("span", { className: `ksi-badge ksi-tone-${{ passed: "good", failed: "bad" }[outcome(result)] ?? "plain"}` }, outcome(result)), " ", result.arm, ", run ", result.repeat + 1, result.no_result_reason && /* @__PURE__ */ React9.createElement("div", { className: "ksi-muted" }, visible(result.no_result_reason)), /* @__PURE__ */ React9.createElement("ul", { className: "ksi-checks" }, checks.map(([kind, said, reason], index) => /* @__PURE__ */ React9.createElement("li", { key: index }, visible(`${kind}: ${said}${reason ? `, ${reason}` : ""}`)))), result.judge_rationale && /* @__PURE__ */ React9.createElement("p", { className: "ksi-quote" }, /* @__PURE__ */ React9.createElement("strong", null, `The judge${result.judge_model ? ` (${visible(result.judge_model)})` : ""}:`), " ", visible(result.judge_rationale)), answer && /* @__PURE__ */ React9.createElement("details", { className: "ksi-more" }, /* @__PURE__ */ React9.createElement("summary", null, "The answer"), /* @__PURE__ */ React9.createElement("pre", { className: "ksi-words" }, visible(answer))));
  }
  function Runs({ results }) {
    const first = results[0];
    if (!first) return /* @__PURE__ */ React9.createElement("p", { className: "ksi-muted ksi-inside" }, "Its runs are not shown here.");
    const { input } = parsed(first.scenario_snapshot, {});
    const ordered = [...results].sort((a, b) => a.arm.localeCompare(b.arm) || a.repeat - b.repeat);
    return /* @__PURE__ */ React9.createElement("div", { className: "ksi-inside" }, input && /* @__PURE__ */ React9.createElement(React9.Fragment, null, /* @__PURE__ */ React9.createElement("div", { className: "ksi-muted" }, "Asked, ", many(results.length, "run"), ":"), /* @__PURE__ */ React9.createElement("pre", { className: "ksi-words" }, visible(input))), /* @__PURE__ */ React9.createElement("ul", { className: "ksi-runs" }, ordered.map((one) => /* @__PURE__ */ React9.createElement(Run, { key: one.id, result: one }))));
  }

  // src/evaluation.tsx
  var TONES2 = { fixed: "good", broken: "bad" };
  var ORDER = ["broken", "fixed", "no result", "unchanged"];
  var NOT_YET = {
    queued: "It waits to be measured. A running daemon does that by itself.",
    running: "It is being measured.",
    failed: "Measuring it failed. Evaluate it again, or approve it with a reason of your own.",
    unmeasured: "It could not be measured: the profile has no scenarios.",
    cancelled: "Measuring it was cancelled."
  };
  function summary(report) {
    const before = `${percent(report.baseline_score)} passed before the change`;
    const effect = report.effect === null ? "" : ` (${points(report.effect)} points)`;
    const after = `${percent(report.candidate_score)} with it${effect}`;
    return `${before}, ${after}, over ${many(report.scenarios.length, "scenario")}.`;
  }
  function judged(judge) {
    const itself = judge.agreement_with_itself === null ? "" : `; its votes on one run agree in ${percent(judge.agreement_with_itself)}`;
    return `${judge.model}, ${many(judge.votes, "vote")}, ${judge.spoiled} without a verdict${itself}`;
  }
  function people({ labels }) {
    if (labels.kappa === null) return `${labels.labels} of the ${labels.needed} labels by persons that it takes to tell`;
    return `kappa ${labels.kappa.toFixed(2)} on ${many(labels.labels, "label")}`;
  }
  function passes(results, arm, share) {
    const known = results.filter((row) => row.arm === arm && row.pass_fail !== null);
    if (known.length === 0) return percent(share);
    return `${known.filter((row) => row.pass_fail === 1).length} of ${known.length}`;
  }
  function Scenario({
    one,
    flaky,
    results
  }) {
    return /* @__PURE__ */ React10.createElement("details", { className: "ksi-scenario" }, /* @__PURE__ */ React10.createElement("summary", null, /* @__PURE__ */ React10.createElement("span", { className: `ksi-badge ksi-tone-${TONES2[one.change] ?? "plain"}` }, visible(one.change)), /* @__PURE__ */ React10.createElement("span", { className: "ksi-scenario-name" }, visible(one.name), flaky && /* @__PURE__ */ React10.createElement("span", { className: "ksi-muted" }, " (flaky)")), /* @__PURE__ */ React10.createElement("span", { className: "ksi-numbers" }, passes(results, "baseline", one.baseline), " ", "\u2192", " ", passes(results, "candidate", one.candidate))), /* @__PURE__ */ React10.createElement(Runs, { results }));
  }
  function Scenarios({ report, results }) {
    const runs = Object.values(report.runs);
    const sorted = [...report.scenarios].sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change));
    return /* @__PURE__ */ React10.createElement("div", { className: "ksi-scenarios" }, sorted.map((one) => /* @__PURE__ */ React10.createElement(
      Scenario,
      {
        key: one.scenario_id,
        one,
        flaky: report.flaky.includes(one.name),
        results: results.filter(
          (row) => row.scenario_id === one.scenario_id && (runs.length === 0 || runs.includes(row.eval_run_id))
        )
      }
    )));
  }
  function Found({ review: review2, report, results }) {
    return /* @__PURE__ */ React10.createElement(React10.Fragment, null, /* @__PURE__ */ React10.createElement("p", null, /* @__PURE__ */ React10.createElement("strong", { className: "ksi-capital" }, visible(report.verdict), "."), " ", summary(report)), /* @__PURE__ */ React10.createElement(Scenarios, { report, results }), /* @__PURE__ */ React10.createElement(Grounds, { report }), /* @__PURE__ */ React10.createElement(
      Facts,
      {
        facts: [
          ["Runs without a result", review2.runs_without_result ? String(review2.runs_without_result) : null],
          ["Judge", report.judge && judged(report.judge)],
          ["Judge against persons", report.judge && people(report.judge)],
          ["Cost", review2.cost === null ? "unknown" : `${review2.cost.toFixed(4)} US dollars`]
        ]
      }
    ), /* @__PURE__ */ React10.createElement("p", { className: "ksi-muted ksi-small" }, "An approval is bound to this report, SHA-256 ", /* @__PURE__ */ React10.createElement("code", { className: "ksi-hash" }, report.sha256)));
  }
  function Evaluation({ review: review2, results }) {
    const experiment = review2.experiment;
    const { report } = review2;
    return /* @__PURE__ */ React10.createElement("section", { "aria-label": "Evaluation" }, /* @__PURE__ */ React10.createElement("h3", null, "Evaluation"), report ? /* @__PURE__ */ React10.createElement(Found, { review: review2, report, results }) : /* @__PURE__ */ React10.createElement("p", { className: "ksi-muted" }, NOT_YET[experiment.evaluation_status] ?? visible(experiment.evaluation_status)), results.length > 0 && /* @__PURE__ */ React10.createElement("p", null, /* @__PURE__ */ React10.createElement("a", { href: toLabels(experiment.id) }, "Label results"), " ", /* @__PURE__ */ React10.createElement("span", { className: "ksi-muted" }, "so that the judge can be held against a person")));
  }

  // src/live.tsx
  var React13 = __toESM(require_react());

  // src/sessions.tsx
  var React12 = __toESM(require_react());

  // src/remember.tsx
  var React11 = __toESM(require_react());
  var { useState: useState8 } = React11;
  function Remember({ profile, session, made, cancel }) {
    const [busy, setBusy] = useState8(false);
    const [error, setError] = useState8(null);
    async function answer(note) {
      setBusy(true);
      setError(null);
      try {
        made(await remember(profile, session, note));
        return null;
      } catch (thrown) {
        const failure = failureOf(thrown);
        setError(failure.text);
        setBusy(false);
        return failure;
      }
    }
    const action2 = {
      name: "remember",
      label: "Remember this session",
      tone: "plain",
      why: "What was wrong with the answer? (may stay empty)",
      optional: true,
      send: answer
    };
    return /* @__PURE__ */ React11.createElement(React11.Fragment, null, /* @__PURE__ */ React11.createElement(Ask, { action: action2, busy, answer, cancel }), /* @__PURE__ */ React11.createElement(Problem, { text: error }));
  }
  function Kept({ profile, found }) {
    return /* @__PURE__ */ React11.createElement("p", { className: "ksi-note ksi-fine", role: "status" }, "What was asked last in that session is scenario ", found.scenario_id, " (", visible(found.name), ") of", " ", /* @__PURE__ */ React11.createElement("a", { href: toProfile(profile) }, "profile ", visible(profile)), ".", " ", found.holdout && "It is held out: its text is not shown any more. ", found.not_run !== null && /* @__PURE__ */ React11.createElement(React11.Fragment, null, "No evaluation runs it yet: ", visible(found.not_run), ". On a terminal:", " ", /* @__PURE__ */ React11.createElement("code", null, "hermes ratchet scenario edit ", found.scenario_id, " --help")));
  }

  // src/sessions.tsx
  var { useRef: useRef5, useState: useState9 } = React12;
  function Word(props) {
    const name = props.good ? "Good" : "Bad";
    return /* @__PURE__ */ React12.createElement(
      "button",
      {
        type: "button",
        className: `ksi-go ksi-small ksi-tone-${props.good ? "good" : "bad"}`,
        "aria-pressed": props.said === props.good,
        "aria-label": `${name}: session ${visible(props.session)}`,
        disabled: props.busy,
        onClick: () => props.say(props.good)
      },
      name
    );
  }
  function Row({ one, said, busy, say, remember: remember2 }) {
    const session = one.session_id;
    return /* @__PURE__ */ React12.createElement("tr", null, /* @__PURE__ */ React12.createElement("td", { className: "ksi-mono", "data-name": "Session" }, visible(session)), /* @__PURE__ */ React12.createElement("td", { className: "ksi-when", "data-name": "Your word" }, /* @__PURE__ */ React12.createElement("span", null, [true, false].map((good) => /* @__PURE__ */ React12.createElement(Word, { key: String(good), good, said, busy, session, say })), /* @__PURE__ */ React12.createElement(
      "button",
      {
        type: "button",
        className: "ksi-go ksi-small",
        "data-remember": session,
        "aria-label": `Remember this session: ${visible(session)}`,
        onClick: remember2
      },
      "Remember"
    ))), /* @__PURE__ */ React12.createElement("td", { "data-name": "Outcome" }, visible(one.outcome)), /* @__PURE__ */ React12.createElement("td", { "data-name": "Counts" }, one.counted ? "yes" : visible(one.reason)), /* @__PURE__ */ React12.createElement("td", { className: "ksi-when", "data-name": "Began" }, /* @__PURE__ */ React12.createElement(Ago, { at: one.started_at })));
  }
  function Aside({ children }) {
    return /* @__PURE__ */ React12.createElement("tr", { className: "ksi-aside" }, /* @__PURE__ */ React12.createElement("td", { colSpan: 5 }, children));
  }
  function Sessions({
    profile,
    sessions,
    done
  }) {
    const [busy, setBusy] = useState9(false);
    const [error, setError] = useState9(null);
    const [kept, setKept] = useState9({});
    const [chosen, setChosen] = useState9(null);
    const [made, setMade] = useState9(null);
    const place = useRef5(null);
    function leave() {
      const buttons = place.current?.querySelectorAll("[data-remember]") ?? [];
      [...buttons].find((one) => one.dataset.remember === chosen)?.focus();
      setChosen(null);
    }
    function remembered(found) {
      if (chosen) setMade({ session: chosen, found });
      leave();
    }
    async function say(session, good) {
      setBusy(true);
      setError(null);
      try {
        await sayOfSession(profile, session, good);
        setKept((before) => ({ ...before, [session]: good }));
      } catch (thrown) {
        setError(failureOf(thrown).text);
      }
      setBusy(false);
      done();
    }
    return /* @__PURE__ */ React12.createElement("details", { className: "ksi-more", ref: place }, /* @__PURE__ */ React12.createElement("summary", null, many(sessions.length, "session"), "; say how one went"), /* @__PURE__ */ React12.createElement(Problem, { text: error }), /* @__PURE__ */ React12.createElement("div", { className: "ksi-scroll" }, /* @__PURE__ */ React12.createElement("table", { className: "ksi-table ksi-cards" }, /* @__PURE__ */ React12.createElement("thead", null, /* @__PURE__ */ React12.createElement("tr", null, /* @__PURE__ */ React12.createElement("th", null, "Session"), /* @__PURE__ */ React12.createElement("th", null, "Your word"), /* @__PURE__ */ React12.createElement("th", null, "Outcome"), /* @__PURE__ */ React12.createElement("th", null, "Counts"), /* @__PURE__ */ React12.createElement("th", null, "Began"))), /* @__PURE__ */ React12.createElement("tbody", null, sessions.map((one) => /* @__PURE__ */ React12.createElement(React12.Fragment, { key: one.session_id }, /* @__PURE__ */ React12.createElement(
      Row,
      {
        one,
        said: kept[one.session_id] ?? one.feedback,
        busy,
        say: (good) => void say(one.session_id, good),
        remember: () => setChosen(one.session_id)
      }
    ), chosen === one.session_id ? /* @__PURE__ */ React12.createElement(Aside, null, /* @__PURE__ */ React12.createElement(Remember, { profile, session: chosen, made: remembered, cancel: leave })) : made?.session === one.session_id && /* @__PURE__ */ React12.createElement(Aside, null, /* @__PURE__ */ React12.createElement(Kept, { profile, found: made.found }))))))));
  }

  // src/live.tsx
  var { useCallback: useCallback4 } = React13;
  var EVERY_MS = 2e4;
  function useLive(id) {
    const concerns = useCallback4((one) => one.experiment_id === id || one.kind === "feedback.given", [id]);
    const { value, error, refresh } = useFresh(
      useCallback4(() => live(id), [id]),
      concerns,
      EVERY_MS
    );
    return { found: value, trouble: error, refresh };
  }
  function Told({ found }) {
    const { planned, evidence, left_out, serving, next } = found.explanation;
    const open2 = found.state === "proposed" || found.state === "approved";
    return /* @__PURE__ */ React13.createElement(React13.Fragment, null, !open2 && /* @__PURE__ */ React13.createElement("p", null, /* @__PURE__ */ React13.createElement("strong", { className: "ksi-capital" }, found.verdict, "."), " ", visible(found.badge)), found.contaminated && /* @__PURE__ */ React13.createElement("p", { className: "ksi-note ksi-warning" }, visible(found.contaminated)), !open2 && /* @__PURE__ */ React13.createElement(Sentences, { title: "What it saw", all: evidence }), /* @__PURE__ */ React13.createElement(Sentences, { title: "What comes next", all: next }), /* @__PURE__ */ React13.createElement(Sentences, { title: "What it leaves out", all: left_out }), /* @__PURE__ */ React13.createElement(Sentences, { title: "Where the change is served", all: serving }), /* @__PURE__ */ React13.createElement(
      Sentences,
      {
        title: open2 ? "What it would catch and miss" : "What it was planned to catch and miss",
        all: planned
      }
    ));
  }
  function LiveWindow(props) {
    const { experiment, found, trouble } = props;
    return /* @__PURE__ */ React13.createElement("section", { "aria-label": "Live window" }, /* @__PURE__ */ React13.createElement("h3", null, "Live window"), found ? /* @__PURE__ */ React13.createElement(Told, { found }) : trouble ? /* @__PURE__ */ React13.createElement("p", { className: "ksi-muted" }, visible(trouble)) : /* @__PURE__ */ React13.createElement("p", { className: "ksi-muted" }, "Loading\u2026"), found && trouble && /* @__PURE__ */ React13.createElement(Problem, { text: trouble }), found && found.sessions.length > 0 && /* @__PURE__ */ React13.createElement(Sessions, { profile: experiment.profile, sessions: found.sessions, done: props.refresh }));
  }

  // src/proposal.tsx
  var React14 = __toESM(require_react());
  function Flags({ flags }) {
    if (flags.length === 0) return null;
    return /* @__PURE__ */ React14.createElement("div", { className: "ksi-note ksi-problem" }, /* @__PURE__ */ React14.createElement("strong", null, "Suspicious:"), /* @__PURE__ */ React14.createElement("ul", { className: "ksi-sentences" }, flags.map((one, index) => /* @__PURE__ */ React14.createElement("li", { key: index }, visible(one)))));
  }
  function Proposal({ said }) {
    return /* @__PURE__ */ React14.createElement("section", { "aria-label": "What the proposer says" }, /* @__PURE__ */ React14.createElement(Flags, { flags: said.flags }), /* @__PURE__ */ React14.createElement(
      Facts,
      {
        facts: [
          ["It believes", said.hypothesis],
          ["It expects", said.expected_effect],
          ["Proposed by the model", said.model]
        ]
      }
    ), /* @__PURE__ */ React14.createElement(Sentences, { title: "It says it answers", all: said.answers.map((one) => `${one.name}: ${one.summary}`) }));
  }

  // src/trail.tsx
  var React15 = __toESM(require_react());
  function by(step) {
    const { actor, principal } = step;
    return visible(principal && principal !== actor ? `${actor ?? ""} (${principal})` : actor ?? "");
  }
  function Trail({ transitions }) {
    return /* @__PURE__ */ React15.createElement("section", { "aria-label": "What happened" }, /* @__PURE__ */ React15.createElement("h3", null, "What happened"), /* @__PURE__ */ React15.createElement("ol", { className: "ksi-trail" }, transitions.map((step) => /* @__PURE__ */ React15.createElement("li", { key: step.id }, /* @__PURE__ */ React15.createElement(StateBadge, { state: step.to_state }), " ", /* @__PURE__ */ React15.createElement("span", null, by(step)), " ", /* @__PURE__ */ React15.createElement("span", { className: "ksi-muted" }, /* @__PURE__ */ React15.createElement(Ago, { at: step.created_at })), step.reason && /* @__PURE__ */ React15.createElement("div", { className: "ksi-muted" }, visible(step.reason))))));
  }

  // src/detail.tsx
  var { useCallback: useCallback5 } = React16;
  var JOBS_MS = 4e3;
  function Head({ experiment }) {
    return /* @__PURE__ */ React16.createElement(React16.Fragment, null, /* @__PURE__ */ React16.createElement("h2", { tabIndex: -1 }, "Experiment ", experiment.id, " ", /* @__PURE__ */ React16.createElement(StateBadge, { state: experiment.state })), /* @__PURE__ */ React16.createElement("p", { className: "ksi-muted" }, visible(experiment.profile), " / ", /* @__PURE__ */ React16.createElement("span", { className: "ksi-mono" }, visible(experiment.target_relpath)), ", proposed by ", visible(experiment.proposed_by), " ", /* @__PURE__ */ React16.createElement(Ago, { at: experiment.created_at })), experiment.rationale && /* @__PURE__ */ React16.createElement("p", { className: "ksi-why" }, visible(experiment.rationale)));
  }
  function Figures({ experiment }) {
    const { live_sessions_target: target, live_sessions_observed: seen } = experiment;
    return /* @__PURE__ */ React16.createElement(
      Facts,
      {
        facts: [
          ["Live sessions", target === null ? null : `${seen ?? 0} counted, ${target} planned`],
          ["Live verdict", experiment.live_verdict],
          ["Applied in", experiment.apply_commit_sha?.slice(0, 10) ?? null],
          ["Taken back in", experiment.revert_commit_sha?.slice(0, 10) ?? null]
        ]
      }
    );
  }
  function Measuring({ id }) {
    const jobs = useFresh(runningJobs, void 0, JOBS_MS);
    const mine = jobs.value?.find((one) => one.experiment_id === id);
    if (!mine) return null;
    const done = mine.total === null ? "" : ` ${mine.done} of ${mine.total} runs are done.`;
    return /* @__PURE__ */ React16.createElement("p", { className: "ksi-note", role: "status" }, "Job ", mine.id, " is measuring it.", done, " ", mine.total !== null && /* @__PURE__ */ React16.createElement("progress", { value: mine.done, max: mine.total, "aria-label": "runs done" }));
  }
  function Detail({ id }) {
    const mine = useCallback5((one) => one.experiment_id === id || one.kind.startsWith("file."), [id]);
    const found = useFresh(
      useCallback5(() => review(id), [id]),
      mine
    );
    const past = useFresh(
      useCallback5(() => history(id), [id]),
      mine
    );
    const window2 = useLive(id);
    const house = useFresh(health);
    const experiment = found.value?.experiment;
    const done = () => [found, past, window2].forEach((one) => one.refresh());
    return /* @__PURE__ */ React16.createElement(React16.Fragment, null, /* @__PURE__ */ React16.createElement("p", { className: "ksi-back" }, /* @__PURE__ */ React16.createElement("a", { href: "#/" }, "\u2190 All experiments")), /* @__PURE__ */ React16.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React16.createElement(Problem, { text: found.error ?? past.error ?? house.error }), !found.value && !found.error && /* @__PURE__ */ React16.createElement(Loading, null), found.value && experiment && /* @__PURE__ */ React16.createElement("article", { className: "ksi-detail" }, /* @__PURE__ */ React16.createElement(Head, { experiment }), found.value.proposal && /* @__PURE__ */ React16.createElement(Proposal, { said: found.value.proposal }), /* @__PURE__ */ React16.createElement(Change, { review: found.value }), experiment.evaluation_status === "running" && /* @__PURE__ */ React16.createElement(Measuring, { id }), house.value && /* @__PURE__ */ React16.createElement(
      Decisions,
      {
        experiment,
        house: house.value,
        asks: window2.found?.asks ?? false,
        drifted: found.value.drifted === true,
        done
      }
    ), /* @__PURE__ */ React16.createElement(Figures, { experiment }), /* @__PURE__ */ React16.createElement(Evaluation, { review: found.value, results: past.value?.scenario_results ?? [] }), experiment.state !== "rejected" && /* @__PURE__ */ React16.createElement(LiveWindow, { experiment, ...window2 }), /* @__PURE__ */ React16.createElement(Trail, { transitions: past.value?.transitions ?? [] })));
  }

  // src/labels.tsx
  var React17 = __toESM(require_react());
  var { useCallback: useCallback6, useState: useState10 } = React17;
  var NOTHING = () => false;
  function One({ result, said }) {
    const [note, setNote] = useState10("");
    const [busy, setBusy] = useState10(false);
    const [error, setError] = useState10(null);
    async function say(passed) {
      setBusy(true);
      setError(null);
      try {
        await label(result.id, passed, note.trim());
        said();
      } catch (thrown) {
        setError(failureOf(thrown).text);
        setBusy(false);
      }
    }
    return /* @__PURE__ */ React17.createElement("article", { "aria-busy": busy }, /* @__PURE__ */ React17.createElement("h3", null, visible(result.scenario)), /* @__PURE__ */ React17.createElement("p", { className: "ksi-muted" }, "The agent was asked:"), /* @__PURE__ */ React17.createElement("pre", { className: "ksi-words" }, visible(result.asked)), /* @__PURE__ */ React17.createElement("p", { className: "ksi-muted" }, "It answered:"), /* @__PURE__ */ React17.createElement("pre", { className: "ksi-words" }, visible(result.answer) || "(nothing)"), /* @__PURE__ */ React17.createElement("div", { className: "ksi-field" }, /* @__PURE__ */ React17.createElement("label", { htmlFor: "ksi-note" }, "Note (may stay empty)"), /* @__PURE__ */ React17.createElement("input", { id: "ksi-note", maxLength: 2e3, value: note, onChange: (event) => setNote(event.target.value) })), /* @__PURE__ */ React17.createElement("div", { className: "ksi-actions" }, /* @__PURE__ */ React17.createElement("button", { type: "button", className: "ksi-go ksi-tone-good", disabled: busy, onClick: () => void say(true) }, "Good enough"), /* @__PURE__ */ React17.createElement("button", { type: "button", className: "ksi-go ksi-tone-bad", disabled: busy, onClick: () => void say(false) }, "Not good enough")), /* @__PURE__ */ React17.createElement(Problem, { text: error }));
  }
  function Labels({ id }) {
    const found = useFresh(
      useCallback6(() => unlabelled(id), [id]),
      NOTHING
    );
    const next = found.value?.results[0];
    return /* @__PURE__ */ React17.createElement(React17.Fragment, null, /* @__PURE__ */ React17.createElement("p", { className: "ksi-back" }, /* @__PURE__ */ React17.createElement("a", { href: toExperiment(id) }, "\u2190 Experiment ", id)), /* @__PURE__ */ React17.createElement("h2", { tabIndex: -1 }, "Label results"), /* @__PURE__ */ React17.createElement("p", { className: "ksi-muted" }, "Whether the change or today's text gave an answer, and what checks and judge said of it, is left out, so that nothing sways you. Thirty labels show what the judge is worth."), /* @__PURE__ */ React17.createElement(Problem, { text: found.error }), !found.value && !found.error && /* @__PURE__ */ React17.createElement(Loading, null), found.value && !next && /* @__PURE__ */ React17.createElement("p", { className: "ksi-empty" }, "Every result has a label. Thank you."), next && /* @__PURE__ */ React17.createElement("p", { role: "status" }, many(found.value?.left ?? 0, "result"), " to label."), next && /* @__PURE__ */ React17.createElement(One, { key: next.id, result: next, said: found.refresh }));
  }

  // src/list.tsx
  var React18 = __toESM(require_react());

  // src/shapes.ts
  var STATES = ["proposed", "approved", "live", "verified", "reverted", "rejected"];

  // src/list.tsx
  var { useCallback: useCallback7 } = React18;
  var NEVER = () => false;
  function Choice(props) {
    return /* @__PURE__ */ React18.createElement("label", { className: "ksi-choice" }, /* @__PURE__ */ React18.createElement("span", null, props.label), /* @__PURE__ */ React18.createElement("select", { value: props.value, onChange: (event) => props.choose(event.target.value) }, /* @__PURE__ */ React18.createElement("option", { value: "" }, props.all), props.options.map((option) => /* @__PURE__ */ React18.createElement("option", { key: option, value: option }, visible(option)))));
  }
  function Row2({ row }) {
    return /* @__PURE__ */ React18.createElement("tr", null, /* @__PURE__ */ React18.createElement("td", null, /* @__PURE__ */ React18.createElement("a", { href: toExperiment(row.id) }, row.id)), /* @__PURE__ */ React18.createElement("td", null, visible(row.profile)), /* @__PURE__ */ React18.createElement("td", { className: "ksi-mono" }, visible(row.target_relpath)), /* @__PURE__ */ React18.createElement("td", null, /* @__PURE__ */ React18.createElement(StateBadge, { state: row.state })), /* @__PURE__ */ React18.createElement("td", null, /* @__PURE__ */ React18.createElement(Measured, { of: row })), /* @__PURE__ */ React18.createElement("td", { className: "ksi-when" }, /* @__PURE__ */ React18.createElement(Ago, { at: row.created_at })), /* @__PURE__ */ React18.createElement("td", { className: "ksi-rationale" }, /* @__PURE__ */ React18.createElement("a", { href: toExperiment(row.id) }, firstLine(row.rationale) || "\u2014")));
  }
  function Nothing({ filtered }) {
    if (filtered) return /* @__PURE__ */ React18.createElement("p", { className: "ksi-empty" }, "No experiment matches this filter.");
    return /* @__PURE__ */ React18.createElement("div", { className: "ksi-empty" }, /* @__PURE__ */ React18.createElement("p", null, "No experiments yet. Propose the first change from a terminal:"), /* @__PURE__ */ React18.createElement("code", null, 'hermes ratchet new --target default --file SOUL.md --replace "old words" "new words"'));
  }
  var offered = (names, chosen) => chosen && !names.includes(chosen) ? [...names, chosen] : names;
  function List({ filter }) {
    const { profile, state, before } = filter;
    const page = useFresh(useCallback7(() => experiments(profile, state, before), [profile, state, before]));
    const house = useFresh(health);
    const known = useFresh(profiles, NEVER);
    const rows = page.value?.experiments ?? [];
    const next = page.value?.next_before ?? null;
    const show = (other) => void (window.location.hash = toList({ ...filter, before: null, ...other }));
    return /* @__PURE__ */ React18.createElement(React18.Fragment, null, /* @__PURE__ */ React18.createElement("header", { className: "ksi-head" }, /* @__PURE__ */ React18.createElement("p", null, "Small changes to prompt files: measured, approved by a person, applied as one commit, watched, then kept or taken back."), /* @__PURE__ */ React18.createElement("div", { className: "ksi-filters" }, /* @__PURE__ */ React18.createElement(
      Choice,
      {
        label: "Profile",
        all: "all profiles",
        value: profile,
        options: offered(known.value?.map((one) => one.profile) ?? [], profile),
        choose: (value) => show({ profile: value })
      }
    ), /* @__PURE__ */ React18.createElement(
      Choice,
      {
        label: "State",
        all: "all states",
        value: state,
        options: STATES,
        choose: (value) => show({ state: value })
      }
    ))), /* @__PURE__ */ React18.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React18.createElement(Problem, { text: page.error ?? house.error ?? house.value?.error ?? null }), page.value === null && page.error === null && /* @__PURE__ */ React18.createElement(Loading, null), page.value !== null && rows.length === 0 && /* @__PURE__ */ React18.createElement(Nothing, { filtered: Boolean(profile || state || before) }), rows.length > 0 && /* @__PURE__ */ React18.createElement("div", { className: "ksi-scroll" }, /* @__PURE__ */ React18.createElement("table", { className: "ksi-table ksi-list" }, /* @__PURE__ */ React18.createElement("thead", null, /* @__PURE__ */ React18.createElement("tr", null, /* @__PURE__ */ React18.createElement("th", null, "#"), /* @__PURE__ */ React18.createElement("th", null, "Profile"), /* @__PURE__ */ React18.createElement("th", null, "File"), /* @__PURE__ */ React18.createElement("th", null, "State"), /* @__PURE__ */ React18.createElement("th", null, "Evaluation"), /* @__PURE__ */ React18.createElement("th", null, "Created"), /* @__PURE__ */ React18.createElement("th", null, "Why"))), /* @__PURE__ */ React18.createElement("tbody", null, rows.map((row) => /* @__PURE__ */ React18.createElement(Row2, { key: row.id, row }))))), /* @__PURE__ */ React18.createElement("div", { className: "ksi-actions" }, before !== null && /* @__PURE__ */ React18.createElement("button", { type: "button", className: "ksi-go", onClick: () => show({}) }, "Newest"), next !== null && /* @__PURE__ */ React18.createElement("button", { type: "button", className: "ksi-go", onClick: () => show({ before: next }) }, "Older")));
  }

  // src/profile.tsx
  var React20 = __toESM(require_react());

  // src/profiles.tsx
  var React19 = __toESM(require_react());
  var TONES3 = {
    paused: "ksi-tone-bad",
    live: "ksi-live",
    approved: "ksi-approved",
    "backing off": "ksi-live"
  };
  function Standing({ profile }) {
    const badge = /* @__PURE__ */ React19.createElement("span", { className: `ksi-badge ${TONES3[profile.state] ?? "ksi-tone-plain"}` }, profile.state);
    return profile.in_flight === null ? badge : /* @__PURE__ */ React19.createElement(React19.Fragment, null, badge, " ", /* @__PURE__ */ React19.createElement("a", { href: toExperiment(profile.in_flight) }, "experiment ", profile.in_flight));
  }
  var COLUMNS = ["Profile", "State", "Proposed", "Verified", "Reverted", "Scenarios", "Baseline"];
  function Row3({ one }) {
    const { scenario_counts: scenarios2, experiment_counts: counts } = one;
    const cells = {
      Profile: /* @__PURE__ */ React19.createElement("a", { href: toProfile(one.profile) }, visible(one.profile)),
      State: /* @__PURE__ */ React19.createElement("span", null, /* @__PURE__ */ React19.createElement(Standing, { profile: one })),
      Proposed: counts.proposed,
      Verified: counts.verified,
      Reverted: counts.reverted,
      Scenarios: `${scenarios2.train} + ${scenarios2.holdout} held out`,
      Baseline: percent(one.latest_baseline_score)
    };
    return /* @__PURE__ */ React19.createElement("tr", null, COLUMNS.map((name) => /* @__PURE__ */ React19.createElement("td", { key: name, "data-name": name }, cells[name])));
  }
  function Profiles() {
    const found = useFresh(profiles);
    const house = useFresh(health);
    return /* @__PURE__ */ React19.createElement(React19.Fragment, null, /* @__PURE__ */ React19.createElement("h2", { tabIndex: -1 }, "Profiles"), /* @__PURE__ */ React19.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React19.createElement(Problem, { text: found.error }), !found.value && !found.error && /* @__PURE__ */ React19.createElement(Loading, null), found.value && /* @__PURE__ */ React19.createElement("div", { className: "ksi-scroll" }, /* @__PURE__ */ React19.createElement("table", { className: "ksi-table ksi-cards" }, /* @__PURE__ */ React19.createElement("thead", null, /* @__PURE__ */ React19.createElement("tr", null, COLUMNS.map((name) => /* @__PURE__ */ React19.createElement("th", { key: name }, name)))), /* @__PURE__ */ React19.createElement("tbody", null, found.value.map((one) => /* @__PURE__ */ React19.createElement(Row3, { key: one.profile, one }))))));
  }

  // src/profile.tsx
  var { useCallback: useCallback8, useEffect: useEffect7 } = React20;
  function actions2(profile, house, unlocked) {
    const name = profile.profile;
    const signedHere = house.approval !== "unsigned";
    const going = profile.paused ? {
      name: "resume",
      label: "Resume",
      tone: "good",
      send: (_, signature) => resume(name, signature),
      ...signedHere && { signed: { purpose: "resume", profile: name } }
    } : {
      name: "pause",
      label: "Pause",
      tone: "bad",
      why: "Why is it paused?",
      send: (reason) => pause(name, reason)
    };
    const look = {
      name: "unlock",
      label: "Unlock held-out scenarios",
      tone: "plain",
      signed: { purpose: "reveal-holdout", profile: name },
      send: (_, signature) => unlock(name, signature)
    };
    const propose = { name: "propose", label: "Ask for a change", tone: "plain", send: () => askProposer(name) };
    return [
      ...profile.paused ? [] : [propose],
      going,
      ...profile.scenario_counts.holdout > 0 && !unlocked ? [look] : []
    ];
  }
  function Countdown({ seconds }) {
    const shown = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    return /* @__PURE__ */ React20.createElement("p", { className: "ksi-note ksi-warning" }, /* @__PURE__ */ React20.createElement("strong", null, "Held-out scenarios are unlocked"), " for ", /* @__PURE__ */ React20.createElement("span", { role: "timer" }, shown), " more. That is on record; do not write changes from what you read there.");
  }
  function checksOf({ checks }) {
    try {
      const parsed2 = JSON.parse(checks);
      return parsed2.map(
        ({ type, ...rest }) => `${String(type)}: ${Object.values(rest).map((one) => typeof one === "string" ? one : JSON.stringify(one)).join(", ")}`
      );
    } catch {
      return [checks];
    }
  }
  function Marks({ one }) {
    const side = one.holdout ? "held out" : "train";
    return /* @__PURE__ */ React20.createElement(React20.Fragment, null, one.not_run !== null && /* @__PURE__ */ React20.createElement("span", { className: "ksi-badge ksi-tone-unsure" }, "draft"), one.not_run === null && /* @__PURE__ */ React20.createElement("span", { className: "ksi-badge ksi-tone-plain" }, side), one.critical === 1 && /* @__PURE__ */ React20.createElement("span", { className: "ksi-badge ksi-tone-plain" }, "critical"));
  }
  function OneScenario({ one }) {
    const hidden = one.holdout === 1 && one.input === "";
    return /* @__PURE__ */ React20.createElement("details", { className: "ksi-scenario" }, /* @__PURE__ */ React20.createElement("summary", null, /* @__PURE__ */ React20.createElement("span", { className: "ksi-scenario-name" }, visible(one.name)), /* @__PURE__ */ React20.createElement(Marks, { one })), /* @__PURE__ */ React20.createElement("div", { className: "ksi-inside" }, one.not_run && /* @__PURE__ */ React20.createElement("p", { className: "ksi-note ksi-warning" }, "No evaluation runs it: ", visible(one.not_run), "."), hidden ? /* @__PURE__ */ React20.createElement("p", { className: "ksi-muted" }, "What it asks is held out. A reviewer can unlock it for ten minutes.") : /* @__PURE__ */ React20.createElement(React20.Fragment, null, /* @__PURE__ */ React20.createElement("pre", { className: "ksi-words" }, visible(one.input)), /* @__PURE__ */ React20.createElement("ul", { className: "ksi-checks" }, checksOf(one).map((check, index) => /* @__PURE__ */ React20.createElement("li", { key: index }, visible(check)))))));
  }
  function Figures2({ profile }) {
    return /* @__PURE__ */ React20.createElement(React20.Fragment, null, /* @__PURE__ */ React20.createElement("p", { className: "ksi-muted ksi-mono" }, visible(profile.profile_root)), /* @__PURE__ */ React20.createElement(
      Facts,
      {
        facts: [
          ["Baseline", percent(profile.latest_baseline_score)],
          ["Sessions in a live window", String(profile.live_sessions_target)],
          ["Proposer", profile.proposer_model],
          ["Judge", profile.judge_model],
          ["Plugin", profile.configured ? "switched on" : "switched off here"]
        ]
      }
    ), profile.last_proposal_at && /* @__PURE__ */ React20.createElement("p", { className: "ksi-muted" }, "Last proposal ", /* @__PURE__ */ React20.createElement(Ago, { at: profile.last_proposal_at }), "."));
  }
  function Profile({ name }) {
    const mine = useCallback8((one) => one.profile === name, [name]);
    const all = useFresh(profiles, mine);
    const listed = useFresh(
      useCallback8(() => scenarios(name), [name]),
      mine
    );
    const house = useFresh(health);
    const profile = all.value?.find((one) => one.profile === name);
    const seconds = useCountdown(profile?.holdout_unlocked_until ?? null);
    const unlocked = seconds > 0;
    const done = () => [all, listed].forEach((one) => one.refresh());
    useEffect7(listed.refresh, [unlocked]);
    return /* @__PURE__ */ React20.createElement(React20.Fragment, null, /* @__PURE__ */ React20.createElement("p", { className: "ksi-back" }, /* @__PURE__ */ React20.createElement("a", { href: "#/profiles" }, "\u2190 All profiles")), /* @__PURE__ */ React20.createElement("h2", { tabIndex: -1 }, "Profile ", visible(name), " ", profile && /* @__PURE__ */ React20.createElement(Standing, { profile })), /* @__PURE__ */ React20.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React20.createElement(Problem, { text: all.error ?? listed.error }), !all.value && !all.error && /* @__PURE__ */ React20.createElement(Loading, null), all.value && !profile && /* @__PURE__ */ React20.createElement("p", { className: "ksi-empty" }, "There is no such profile."), unlocked && /* @__PURE__ */ React20.createElement(Countdown, { seconds }), profile && /* @__PURE__ */ React20.createElement(Figures2, { profile }), profile && house.value && /* @__PURE__ */ React20.createElement(Actions, { actions: actions2(profile, house.value, unlocked), done }), profile && /* @__PURE__ */ React20.createElement("section", { "aria-label": "Scenarios" }, /* @__PURE__ */ React20.createElement("h3", null, "Scenarios"), listed.value?.length === 0 && /* @__PURE__ */ React20.createElement("p", { className: "ksi-muted" }, "None yet. Add one: hermes ratchet scenario add --help"), /* @__PURE__ */ React20.createElement("div", { className: "ksi-scenarios" }, listed.value?.map((one) => /* @__PURE__ */ React20.createElement(OneScenario, { key: one.id, one })))));
  }

  // src/trust.tsx
  var React21 = __toESM(require_react());
  var { useState: useState11 } = React21;
  function pinned(found) {
    if (found.pinned === null)
      return "It is pinned nowhere: the service file of the daemon would pin it (hermes ratchet install-service).";
    if (found.pinned === found.fingerprint) return "It is the one that is pinned.";
    return `It is not the one that is pinned, ${found.pinned}: nothing is applied until a person has looked at that.`;
  }
  function Set({ found }) {
    if (found.reviewers.length === 0)
      return /* @__PURE__ */ React21.createElement("p", { className: "ksi-muted" }, "There is none. Make one on a terminal: ", /* @__PURE__ */ React21.createElement("code", null, "hermes ratchet reviewer add NAME"));
    return /* @__PURE__ */ React21.createElement(React21.Fragment, null, /* @__PURE__ */ React21.createElement("ul", { className: "ksi-people" }, found.reviewers.map((one) => /* @__PURE__ */ React21.createElement("li", { key: one.public_key }, /* @__PURE__ */ React21.createElement("strong", null, visible(one.name)), " ", /* @__PURE__ */ React21.createElement("span", { className: "ksi-muted" }, "since ", /* @__PURE__ */ React21.createElement(Ago, { at: one.since }), ", public key"), /* @__PURE__ */ React21.createElement("code", { className: "ksi-hash" }, one.public_key)))), /* @__PURE__ */ React21.createElement("p", null, "Fingerprint of all of them together: ", /* @__PURE__ */ React21.createElement("code", { className: "ksi-hash" }, found.fingerprint)), /* @__PURE__ */ React21.createElement("p", { className: found.pinned !== null && found.pinned !== found.fingerprint ? "ksi-note ksi-problem" : "ksi-muted" }, pinned(found)));
  }
  function Verified({ found }) {
    const counted = `${many(found.checked, "step")}, ${many(found.witnesses, "anchor")}, ${many(found.contents, "stored content")} checked.`;
    return /* @__PURE__ */ React21.createElement("div", { role: "status" }, /* @__PURE__ */ React21.createElement("p", { className: `ksi-note ${found.ok ? "ksi-fine" : "ksi-problem"}` }, /* @__PURE__ */ React21.createElement("strong", null, found.ok ? "The audit trail is whole." : "The audit trail does not agree with itself."), " ", counted), /* @__PURE__ */ React21.createElement(
      Sentences,
      {
        title: "What does not agree",
        all: found.breaks.map((one) => one.transition_id ? `Step ${one.transition_id}: ${one.problem}` : one.problem)
      }
    ), /* @__PURE__ */ React21.createElement(Sentences, { title: "Notes", all: found.notes }), /* @__PURE__ */ React21.createElement(Sentences, { title: "Could not be asked", all: found.unread }), /* @__PURE__ */ React21.createElement("p", { className: "ksi-muted" }, "Newest link: ", /* @__PURE__ */ React21.createElement("code", { className: "ksi-hash" }, found.head || "none")));
  }
  function AuditTrail() {
    const [found, setFound] = useState11(null);
    const [busy, setBusy] = useState11(false);
    const [error, setError] = useState11(null);
    async function check() {
      setBusy(true);
      setError(null);
      try {
        setFound(await verifyAudit());
      } catch (thrown) {
        setError(failureOf(thrown).text);
      }
      setBusy(false);
    }
    return /* @__PURE__ */ React21.createElement("section", { "aria-label": "Audit trail", "aria-busy": busy }, /* @__PURE__ */ React21.createElement("h3", null, "Audit trail"), /* @__PURE__ */ React21.createElement("p", { className: "ksi-muted" }, "Checks the chain of all steps in the database. ", /* @__PURE__ */ React21.createElement("code", null, "hermes ratchet audit verify"), " asks the profiles' repositories as well."), /* @__PURE__ */ React21.createElement("div", { className: "ksi-actions" }, /* @__PURE__ */ React21.createElement("button", { type: "button", className: "ksi-go", disabled: busy, onClick: () => void check() }, busy ? "Checking\u2026" : "Check the audit trail")), /* @__PURE__ */ React21.createElement(Problem, { text: error }), found && /* @__PURE__ */ React21.createElement(Verified, { found }));
  }
  function Trust() {
    const found = useFresh(reviewers);
    const house = useFresh(health);
    return /* @__PURE__ */ React21.createElement(React21.Fragment, null, /* @__PURE__ */ React21.createElement("h2", { tabIndex: -1 }, "Reviewers and audit"), /* @__PURE__ */ React21.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React21.createElement(Problem, { text: found.error ?? found.value?.trouble ?? null }), !found.value && !found.error && /* @__PURE__ */ React21.createElement(Loading, null), found.value && /* @__PURE__ */ React21.createElement("section", { "aria-label": "Reviewers" }, /* @__PURE__ */ React21.createElement("h3", null, "Reviewers"), /* @__PURE__ */ React21.createElement("p", { className: "ksi-muted" }, found.value.approval === "signed" ? "Approvals are signed by one of them." : "Approvals are not signed here.", " ", "They are added and removed on a terminal only."), /* @__PURE__ */ React21.createElement(Set, { found: found.value })), /* @__PURE__ */ React21.createElement(AuditTrail, null));
  }

  // src/index.tsx
  var { useEffect: useEffect8, useRef: useRef6 } = React22;
  var TABS = [
    { to: "#/", label: "Experiments", views: ["list", "experiment", "label"] },
    { to: "#/profiles", label: "Profiles", views: ["profiles", "profile"] },
    { to: "#/trust", label: "Reviewers", views: ["trust"] }
  ];
  function View({ place }) {
    switch (place.view) {
      case "experiment":
        return /* @__PURE__ */ React22.createElement(Detail, { id: place.id });
      case "label":
        return /* @__PURE__ */ React22.createElement(Labels, { id: place.id });
      case "profiles":
        return /* @__PURE__ */ React22.createElement(Profiles, null);
      case "profile":
        return /* @__PURE__ */ React22.createElement(Profile, { name: place.name });
      case "trust":
        return /* @__PURE__ */ React22.createElement(Trust, null);
      default:
        return /* @__PURE__ */ React22.createElement(List, { filter: place.filter });
    }
  }
  function useFocusOnArrival(place) {
    const root = useRef6(null);
    const before = useRef6(place);
    useEffect8(() => {
      if (before.current !== place) root.current?.focus({ preventScroll: true });
      before.current = place;
    }, [place]);
    return root;
  }
  function Page() {
    const place = usePlace();
    const key = place.view === "list" ? "list" : JSON.stringify(place);
    const root = useFocusOnArrival(key);
    useEffect8(() => listen(() => void 0), []);
    return /* @__PURE__ */ React22.createElement("div", { className: "ksi" }, /* @__PURE__ */ React22.createElement("nav", { className: "ksi-tabs", "aria-label": "Self-Improve" }, TABS.map((one) => /* @__PURE__ */ React22.createElement("a", { key: one.to, href: one.to, "aria-current": one.views.includes(place.view) ? "page" : void 0 }, one.label))), /* @__PURE__ */ React22.createElement("div", { ref: root, tabIndex: -1, className: "ksi-view" }, /* @__PURE__ */ React22.createElement(Boundary, { key }, /* @__PURE__ */ React22.createElement(View, { key, place }))));
  }
  window.__HERMES_PLUGINS__.register(PLUGIN, Page);
})();
