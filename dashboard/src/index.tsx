// The page "Self-Improve": its views, chosen by the address, and the way from one to the other.
import * as React from "react";
import { usePlace, type Place } from "./address";
import { Detail } from "./detail";
import { Labels } from "./labels";
import { List } from "./list";
import { Boundary } from "./parts";
import { Profile } from "./profile";
import { Profiles } from "./profiles";
import { PLUGIN } from "./sdk";
import { listen } from "./tail";
import { Trust } from "./trust";

const { useEffect, useRef } = React;

const TABS = [
  { to: "#/", label: "Experiments", views: ["list", "experiment", "label"] },
  { to: "#/profiles", label: "Profiles", views: ["profiles", "profile"] },
  { to: "#/trust", label: "Reviewers", views: ["trust"] },
];

function View({ place }: { place: Place }): React.JSX.Element {
  switch (place.view) {
    case "experiment":
      return <Detail id={place.id} />;
    case "label":
      return <Labels id={place.id} />;
    case "profiles":
      return <Profiles />;
    case "profile":
      return <Profile name={place.name} />;
    case "trust":
      return <Trust />;
    default:
      return <List filter={place.filter} />;
  }
}

// Whoever goes on by keyboard or screen reader begins where the new view begins.
function useFocusOnArrival(place: string): React.RefObject<HTMLDivElement | null> {
  const root = useRef<HTMLDivElement>(null);
  const before = useRef(place);
  useEffect(() => {
    if (before.current !== place) root.current?.focus({ preventScroll: true });
    before.current = place;
  }, [place]);
  return root;
}

function Page(): React.JSX.Element {
  const place = usePlace();
  const key = place.view === "list" ? "list" : JSON.stringify(place); // a filter that changes keeps its place
  const root = useFocusOnArrival(key);
  useEffect(() => listen(() => undefined), []); // keeps the socket open from one view to the next
  return (
    <div className="ksi">
      <nav className="ksi-tabs" aria-label="Self-Improve">
        {TABS.map((one) => (
          <a key={one.to} href={one.to} aria-current={one.views.includes(place.view) ? "page" : undefined}>
            {one.label}
          </a>
        ))}
      </nav>
      <div ref={root} tabIndex={-1} className="ksi-view">
        <Boundary key={key}>
          <View key={key} place={place} />
        </Boundary>
      </div>
    </div>
  );
}

window.__HERMES_PLUGINS__.register(PLUGIN, Page);
