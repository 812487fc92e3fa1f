// The change itself: as a diff, word by word, and what hides in it.
import * as React from "react";
import { visible } from "./parts";
import type { Invisible, Review, Words } from "./findings";

// Only the first two lines name files: a removed rule ("---") begins with dashes too.
function kindOf(line: string, index: number): string {
  if (index < 2) return "file";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}

export function Diff({ text }: { text: string }): React.JSX.Element {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <pre className="ksi-diff" aria-label="diff">
      {lines.map((line, index) => (
        <div key={index} className={`ksi-line ksi-line-${kindOf(line, index)}`}>
          {visible(line) || " "}
        </div>
      ))}
    </pre>
  );
}

const TAGS = { same: "span", removed: "del", added: "ins" } as const;

function WordDiff({ words }: { words: Words[] }): React.JSX.Element {
  return (
    <details className="ksi-more">
      <summary>Word by word</summary>
      <pre className="ksi-words">
        {words.map((one, index) => React.createElement(TAGS[one.change], { key: index }, visible(one.text)))}
      </pre>
    </details>
  );
}

const SIDES = { base: "Today's text", candidate: "The candidate" } as const;

function Hidden({ found }: { found: Invisible[] }): React.JSX.Element | null {
  if (found.length === 0) return null;
  return (
    <div className="ksi-note ksi-problem">
      <strong>Characters that do not show, or show as others:</strong>
      <ul className="ksi-sentences">
        {found.slice(0, 20).map((one, index) => (
          <li key={index}>{`${SIDES[one.side]}, line ${one.line}, column ${one.column}: ${one.name} (${one.code})`}</li>
        ))}
        {found.length > 20 && <li>{`and ${found.length - 20} more`}</li>}
      </ul>
    </div>
  );
}

export function Change({ review }: { review: Review }): React.JSX.Element {
  const over = review.experiment.state === "rejected" || review.experiment.state === "reverted";
  return (
    <section aria-label="The change">
      {review.drifted && !over && (
        <p className="ksi-note ksi-warning" role="status">
          <strong>The file was edited since.</strong> It is not the version that this experiment knows; nothing
          overwrites that edit unless a reviewer signs for it.
        </p>
      )}
      <Hidden found={review.invisible_characters} />
      <Diff text={review.experiment.diff} />
      <WordDiff words={review.word_diff} />
    </section>
  );
}
