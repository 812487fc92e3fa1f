// The page "Self-Improve": the list of experiments, or the one named in the address (#/experiments/7).
import * as React from "react";
import { Detail } from "./detail";
import { useExperimentInAddress } from "./hooks";
import { List } from "./list";
import { Boundary } from "./parts";
import { PLUGIN } from "./sdk";

function Page(): React.JSX.Element {
  const id = useExperimentInAddress();
  return (
    <div className="ksi">
      <Boundary key={id ?? "list"}>{id === null ? <List /> : <Detail key={id} id={id} />}</Boundary>
    </div>
  );
}

window.__HERMES_PLUGINS__.register(PLUGIN, Page);
