// Built from dashboard/src (86c9ca9a68abae00): change that, then npm run build.
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
  var React4 = __toESM(require_react());

  // src/detail.tsx
  var React2 = __toESM(require_react());

  // src/sdk.ts
  var PLUGIN = "karpathy-self-improve";
  var { fetchJSON, utils } = window.__HERMES_PLUGIN_SDK__;

  // src/api.ts
  var STATES = ["proposed", "approved", "live", "verified", "reverted", "rejected"];
  async function call(path, init) {
    return await fetchJSON(`/api/plugins/${PLUGIN}${path}`, init);
  }
  var health = () => call("/health");
  var reviewers = () => call("/reviewers");
  var history = (id) => call(`/experiments/${id}/history`);
  function experiments(profile, state, before) {
    const query = new URLSearchParams({ limit: "100" });
    if (profile) query.set("profile", profile);
    if (state) query.set("state", state);
    if (before !== null) query.set("before", String(before));
    return call(`/experiments?${query}`);
  }
  async function act(id, verb, body) {
    await call(`/experiments/${id}/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body)
    });
  }
  function errorText(thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const body = message.replace(/^\d{3}: /, "");
    try {
      const parsed = JSON.parse(body);
      if (parsed && typeof parsed === "object" && "error" in parsed) return String(parsed.error);
    } catch {
    }
    return message;
  }

  // src/hooks.ts
  var import_react = __toESM(require_react());
  var EVERY_MS = 5e3;
  function usePolled(load) {
    const [value, setValue] = (0, import_react.useState)(null);
    const [error, setError] = (0, import_react.useState)(null);
    const newest = (0, import_react.useRef)(0);
    const refresh = (0, import_react.useCallback)(() => {
      const mine = ++newest.current;
      load().then(
        (found) => {
          if (mine !== newest.current) return;
          setValue(found);
          setError(null);
        },
        (thrown) => {
          if (mine === newest.current) setError(errorText(thrown));
        }
      );
    }, [load]);
    (0, import_react.useEffect)(() => {
      setValue(null);
      setError(null);
      refresh();
      const timer = setInterval(() => {
        if (!document.hidden) refresh();
      }, EVERY_MS);
      return () => {
        clearInterval(timer);
        newest.current++;
      };
    }, [refresh]);
    return { value, error, refresh };
  }
  function idInAddress() {
    const found = /^#\/experiments\/([1-9]\d*)$/.exec(window.location.hash);
    return found ? Number(found[1]) : null;
  }
  function useExperimentInAddress() {
    const [id, setId] = (0, import_react.useState)(idInAddress);
    (0, import_react.useEffect)(() => {
      const update = () => setId(idInAddress());
      window.addEventListener("hashchange", update);
      return () => window.removeEventListener("hashchange", update);
    }, []);
    return id;
  }

  // src/parts.tsx
  var React = __toESM(require_react());
  var INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e01ef}]/gu;
  function visible(text) {
    return text.replace(INVISIBLE, (found) => {
      const code = found.codePointAt(0) ?? 0;
      return `\u27E8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27E9`;
    });
  }
  function StateBadge({ state }) {
    return /* @__PURE__ */ React.createElement("span", { className: `ksi-badge ksi-${state}` }, state);
  }
  function Ago({ at }) {
    return /* @__PURE__ */ React.createElement("time", { dateTime: at, title: at }, utils.isoTimeAgo(at));
  }
  function Problem({ text }) {
    return text === null ? null : /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-problem", role: "alert" }, visible(text));
  }
  function Warnings({ health: health2 }) {
    if (health2 === null) return null;
    return /* @__PURE__ */ React.createElement(React.Fragment, null, health2.approval === "unsigned" && /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React.createElement("strong", null, "approval: unsigned."), " Decisions on this machine carry no reviewer's signature: whoever can open this page can approve."), !health2.daemon.alive && /* @__PURE__ */ React.createElement("p", { className: "ksi-note ksi-warning", role: "status" }, /* @__PURE__ */ React.createElement("strong", null, "Nobody is watching."), " No daemon is alive, so nothing is evaluated, applied or taken back. Start one: ", /* @__PURE__ */ React.createElement("code", null, "hermes ratchet daemon")));
  }
  function kindOf(line, index) {
    if (index < 2) return "file";
    if (line.startsWith("@@")) return "hunk";
    if (line.startsWith("+")) return "added";
    return line.startsWith("-") ? "removed" : "same";
  }
  function Diff({ text }) {
    const lines = text.replace(/\n$/, "").split("\n");
    return /* @__PURE__ */ React.createElement("pre", { className: "ksi-diff", "aria-label": "diff" }, lines.map((line, index) => /* @__PURE__ */ React.createElement("div", { key: index, className: `ksi-line ksi-line-${kindOf(line, index)}` }, visible(line) || " ")));
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

  // src/detail.tsx
  var { useCallback: useCallback2, useState: useState2 } = React2;
  var VERBS = {
    proposed: ["approve", "reject"],
    approved: ["apply", "reject"],
    live: ["revert"],
    verified: ["revert"],
    reverted: [],
    rejected: []
  };
  var LABELS = { approve: "Approve", reject: "Reject", apply: "Apply", revert: "Revert" };
  function wordsNeeded(verb, experiment) {
    if (verb === "reject") return { field: "reason", question: "Why is it rejected?" };
    if (verb === "revert") return { field: "reason", question: "Why is it taken back?" };
    if (verb === "approve" && experiment.evaluation_status !== "finished") {
      return { field: "override_reason", question: "It is not measured. Why approve it all the same?" };
    }
    return null;
  }
  function isSigned(verb, experiment, house) {
    return house.approval !== "unsigned" && (verb === "approve" || verb === "revert" && experiment.state === "verified");
  }
  function Ask(props) {
    const [words, setWords] = useState2("");
    const [name, setName] = useState2(null);
    const [passphrase, setPassphrase] = useState2("");
    const reviewer = name ?? props.signers?.reviewers[0]?.name ?? "";
    const said = props.needed === null || words.trim() !== "";
    const ready = said && (props.signers === null || reviewer !== "" && passphrase !== "") && !props.busy;
    function body() {
      return {
        ...props.needed && { [props.needed.field]: words.trim() },
        ...props.signers && { reviewer, passphrase }
      };
    }
    return /* @__PURE__ */ React2.createElement(
      "form",
      {
        className: "ksi-ask",
        onSubmit: (event) => {
          event.preventDefault();
          if (ready) props.answer(body());
          setPassphrase("");
        }
      },
      props.needed && /* @__PURE__ */ React2.createElement(React2.Fragment, null, /* @__PURE__ */ React2.createElement("label", { htmlFor: "ksi-words" }, props.needed.question), /* @__PURE__ */ React2.createElement("input", { id: "ksi-words", autoFocus: true, maxLength: 500, value: words, onChange: (event) => setWords(event.target.value) })),
      props.signers && /* @__PURE__ */ React2.createElement(React2.Fragment, null, /* @__PURE__ */ React2.createElement("label", { htmlFor: "ksi-reviewer" }, "Signed by"), /* @__PURE__ */ React2.createElement("select", { id: "ksi-reviewer", value: reviewer, onChange: (event) => setName(event.target.value) }, props.signers.reviewers.map((one) => /* @__PURE__ */ React2.createElement("option", { key: one.public_key, value: one.name }, visible(one.name)))), /* @__PURE__ */ React2.createElement("label", { htmlFor: "ksi-passphrase" }, "Passphrase"), /* @__PURE__ */ React2.createElement(
        "input",
        {
          id: "ksi-passphrase",
          type: "password",
          autoComplete: "off",
          value: passphrase,
          onChange: (event) => setPassphrase(event.target.value)
        }
      )),
      /* @__PURE__ */ React2.createElement("button", { className: `ksi-go ksi-go-${props.verb}`, type: "submit", disabled: !ready }, LABELS[props.verb]),
      /* @__PURE__ */ React2.createElement("button", { className: "ksi-go", type: "button", onClick: props.cancel }, "Cancel")
    );
  }
  function Decisions({ experiment, house, done }) {
    const [asking, setAsking] = useState2(null);
    const [signers, setSigners] = useState2(null);
    const [busy, setBusy] = useState2(false);
    const [error, setError] = useState2(null);
    const verbs = VERBS[experiment.state];
    async function decide(verb, body) {
      setBusy(true);
      setError(null);
      try {
        await act(experiment.id, verb, body);
        setAsking(null);
      } catch (thrown) {
        setError(errorText(thrown));
      } finally {
        setBusy(false);
        done();
      }
    }
    async function begin(verb) {
      setError(null);
      try {
        const who = isSigned(verb, experiment, house) ? await reviewers() : null;
        if (who?.trouble) return setError(who.trouble);
        setSigners(who);
      } catch (thrown) {
        return setError(errorText(thrown));
      }
      if (wordsNeeded(verb, experiment) || isSigned(verb, experiment, house)) setAsking(verb);
      else await decide(verb, {});
    }
    return /* @__PURE__ */ React2.createElement("section", null, asking && verbs.includes(asking) ? /* @__PURE__ */ React2.createElement(
      Ask,
      {
        key: asking,
        needed: wordsNeeded(asking, experiment),
        signers,
        verb: asking,
        busy,
        answer: (body) => void decide(asking, body),
        cancel: () => setAsking(null)
      }
    ) : /* @__PURE__ */ React2.createElement("div", { className: "ksi-actions" }, verbs.map((verb) => /* @__PURE__ */ React2.createElement(
      "button",
      {
        key: verb,
        type: "button",
        className: `ksi-go ksi-go-${verb}`,
        disabled: busy,
        onClick: () => void begin(verb)
      },
      LABELS[verb]
    ))), /* @__PURE__ */ React2.createElement(Problem, { text: error }));
  }
  function score(value) {
    return value === null ? "\u2014" : `${Math.round(value * 100)} %`;
  }
  function Facts({ experiment }) {
    const watched = experiment.live_sessions_target === null ? "\u2014" : `${experiment.live_sessions_observed ?? 0} of ${experiment.live_sessions_target}`;
    const facts = [
      ["Evaluation", experiment.evaluation_status],
      ["Baseline", score(experiment.baseline_score)],
      ["Candidate", score(experiment.offline_score)],
      ["Live sessions", watched],
      ["Live verdict", experiment.live_verdict],
      ["Applied in", experiment.apply_commit_sha?.slice(0, 10) ?? null],
      ["Taken back in", experiment.revert_commit_sha?.slice(0, 10) ?? null],
      ["Rejected because", experiment.rejection_reason]
    ];
    return /* @__PURE__ */ React2.createElement("dl", { className: "ksi-facts" }, facts.filter(([, value]) => value !== null).map(([name, value]) => /* @__PURE__ */ React2.createElement("div", { key: name }, /* @__PURE__ */ React2.createElement("dt", null, name), /* @__PURE__ */ React2.createElement("dd", null, visible(value ?? "")))));
  }
  function Trail({ transitions }) {
    return /* @__PURE__ */ React2.createElement("ol", { className: "ksi-trail" }, transitions.map((step, index) => /* @__PURE__ */ React2.createElement("li", { key: index }, /* @__PURE__ */ React2.createElement(StateBadge, { state: step.to_state }), " ", /* @__PURE__ */ React2.createElement("span", null, visible(step.actor ?? "")), " ", /* @__PURE__ */ React2.createElement("span", { className: "ksi-muted" }, /* @__PURE__ */ React2.createElement(Ago, { at: step.created_at })), step.reason && /* @__PURE__ */ React2.createElement("div", { className: "ksi-muted" }, visible(step.reason)))));
  }
  function Detail({ id }) {
    const found = usePolled(useCallback2(() => history(id), [id]));
    const house = usePolled(health);
    const experiment = found.value?.experiment;
    return /* @__PURE__ */ React2.createElement(React2.Fragment, null, /* @__PURE__ */ React2.createElement("p", { className: "ksi-back" }, /* @__PURE__ */ React2.createElement("a", { href: "#/" }, "\u2190 All experiments")), /* @__PURE__ */ React2.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React2.createElement(Problem, { text: found.error ?? house.error }), !experiment && found.error === null && /* @__PURE__ */ React2.createElement("p", { className: "ksi-empty" }, "Loading\u2026"), experiment && /* @__PURE__ */ React2.createElement("article", { className: "ksi-detail" }, /* @__PURE__ */ React2.createElement("h2", null, "Experiment ", experiment.id, " ", /* @__PURE__ */ React2.createElement(StateBadge, { state: experiment.state })), /* @__PURE__ */ React2.createElement("p", { className: "ksi-muted" }, visible(experiment.profile), " / ", /* @__PURE__ */ React2.createElement("span", { className: "ksi-mono" }, visible(experiment.target_relpath)), ", proposed", " ", /* @__PURE__ */ React2.createElement(Ago, { at: experiment.created_at })), experiment.rationale && /* @__PURE__ */ React2.createElement("p", { className: "ksi-why" }, visible(experiment.rationale)), /* @__PURE__ */ React2.createElement(Diff, { text: experiment.diff }), /* @__PURE__ */ React2.createElement(Facts, { experiment }), house.value && /* @__PURE__ */ React2.createElement(Decisions, { experiment, house: house.value, done: found.refresh }), /* @__PURE__ */ React2.createElement("h3", null, "What happened"), /* @__PURE__ */ React2.createElement(Trail, { transitions: found.value?.transitions ?? [] })));
  }

  // src/list.tsx
  var React3 = __toESM(require_react());
  var { useCallback: useCallback3, useEffect: useEffect2, useState: useState3 } = React3;
  function Choice(props) {
    return /* @__PURE__ */ React3.createElement("label", { className: "ksi-choice" }, /* @__PURE__ */ React3.createElement("span", null, props.label), /* @__PURE__ */ React3.createElement("select", { value: props.value, onChange: (event) => props.choose(event.target.value) }, /* @__PURE__ */ React3.createElement("option", { value: "" }, props.all), props.options.map((option) => /* @__PURE__ */ React3.createElement("option", { key: option, value: option }, visible(option)))));
  }
  function Row({ row }) {
    const firstLine = (row.rationale ?? "").split("\n", 1)[0] ?? "";
    return /* @__PURE__ */ React3.createElement("tr", null, /* @__PURE__ */ React3.createElement("td", null, /* @__PURE__ */ React3.createElement("a", { href: `#/experiments/${row.id}` }, row.id)), /* @__PURE__ */ React3.createElement("td", null, visible(row.profile)), /* @__PURE__ */ React3.createElement("td", { className: "ksi-mono" }, visible(row.target_relpath)), /* @__PURE__ */ React3.createElement("td", null, /* @__PURE__ */ React3.createElement(StateBadge, { state: row.state })), /* @__PURE__ */ React3.createElement("td", null, row.evaluation_status), /* @__PURE__ */ React3.createElement("td", { className: "ksi-when" }, /* @__PURE__ */ React3.createElement(Ago, { at: row.created_at })), /* @__PURE__ */ React3.createElement("td", { className: "ksi-rationale" }, /* @__PURE__ */ React3.createElement("a", { href: `#/experiments/${row.id}` }, visible(firstLine) || "\u2014")));
  }
  function Nothing({ filtered }) {
    if (filtered) return /* @__PURE__ */ React3.createElement("p", { className: "ksi-empty" }, "No experiment matches this filter.");
    return /* @__PURE__ */ React3.createElement("div", { className: "ksi-empty" }, /* @__PURE__ */ React3.createElement("p", null, "No experiments yet. Propose the first change from a terminal:"), /* @__PURE__ */ React3.createElement("code", null, 'hermes ratchet new --target default --file SOUL.md --replace "old words" "new words"'));
  }
  function useProfilesSeen(rows) {
    const [seen, setSeen] = useState3([]);
    useEffect2(() => {
      if (rows) setSeen((before) => [.../* @__PURE__ */ new Set([...before, ...rows.map((row) => row.profile)])].sort());
    }, [rows]);
    return seen;
  }
  function List() {
    const [profile, setProfile] = useState3("");
    const [state, setState] = useState3("");
    const [before, setBefore] = useState3(null);
    const page = usePolled(useCallback3(() => experiments(profile, state, before), [profile, state, before]));
    const house = usePolled(health);
    const profiles = useProfilesSeen(page.value?.experiments);
    const rows = page.value?.experiments ?? [];
    const next = page.value?.next_before ?? null;
    const choose = (set) => (value) => {
      set(value);
      setBefore(null);
    };
    return /* @__PURE__ */ React3.createElement(React3.Fragment, null, /* @__PURE__ */ React3.createElement("header", { className: "ksi-head" }, /* @__PURE__ */ React3.createElement("p", null, "Small changes to prompt files: measured, approved by a person, applied as one commit, watched, then kept or taken back."), /* @__PURE__ */ React3.createElement("div", { className: "ksi-filters" }, /* @__PURE__ */ React3.createElement(Choice, { label: "Profile", all: "all profiles", value: profile, options: profiles, choose: choose(setProfile) }), /* @__PURE__ */ React3.createElement(Choice, { label: "State", all: "all states", value: state, options: STATES, choose: choose(setState) }))), /* @__PURE__ */ React3.createElement(Warnings, { health: house.value }), /* @__PURE__ */ React3.createElement(Problem, { text: page.error ?? house.error }), page.value === null && page.error === null && /* @__PURE__ */ React3.createElement("p", { className: "ksi-empty" }, "Loading\u2026"), page.value !== null && rows.length === 0 && /* @__PURE__ */ React3.createElement(Nothing, { filtered: Boolean(profile || state || before) }), rows.length > 0 && /* @__PURE__ */ React3.createElement("div", { className: "ksi-scroll" }, /* @__PURE__ */ React3.createElement("table", { className: "ksi-table" }, /* @__PURE__ */ React3.createElement("thead", null, /* @__PURE__ */ React3.createElement("tr", null, /* @__PURE__ */ React3.createElement("th", null, "#"), /* @__PURE__ */ React3.createElement("th", null, "Profile"), /* @__PURE__ */ React3.createElement("th", null, "File"), /* @__PURE__ */ React3.createElement("th", null, "State"), /* @__PURE__ */ React3.createElement("th", null, "Evaluation"), /* @__PURE__ */ React3.createElement("th", null, "Created"), /* @__PURE__ */ React3.createElement("th", null, "Why"))), /* @__PURE__ */ React3.createElement("tbody", null, rows.map((row) => /* @__PURE__ */ React3.createElement(Row, { key: row.id, row }))))), /* @__PURE__ */ React3.createElement("div", { className: "ksi-actions" }, before !== null && /* @__PURE__ */ React3.createElement("button", { type: "button", className: "ksi-go", onClick: () => setBefore(null) }, "Newest"), next !== null && /* @__PURE__ */ React3.createElement("button", { type: "button", className: "ksi-go", onClick: () => setBefore(next) }, "Older")));
  }

  // src/index.tsx
  function Page() {
    const id = useExperimentInAddress();
    return /* @__PURE__ */ React4.createElement("div", { className: "ksi" }, /* @__PURE__ */ React4.createElement(Boundary, { key: id ?? "list" }, id === null ? /* @__PURE__ */ React4.createElement(List, null) : /* @__PURE__ */ React4.createElement(Detail, { key: id, id })));
  }
  window.__HERMES_PLUGINS__.register(PLUGIN, Page);
})();
