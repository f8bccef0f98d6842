// Puts the parts together.

const facts = JSON.parse(byId("data").textContent);

document.title = `${facts.title}: codeczoo report`;
byId("title").textContent = facts.title;
const codecCount = new Set(
  facts.groups.flatMap((group) => group.rows.filter((row) => !row.reference).map((row) => row.codec)),
).size;
const clipCounts = facts.groups.map((group) => `${plural(group.clips, "clip")} of ${group.name}`);
byId("subtitle").textContent = [
  plural(codecCount, "codec"),
  ...clipCounts,
  plural(facts.metrics.length, "metric"),
].join(", ");

const valued = (metric) =>
  facts.groups[0].rows.some((row) => !row.reference && row.cells[metric]?.mean !== null && row.cells[metric]);
const shared = state({
  group: 0,
  metric: facts.groups[0].metrics.find(valued) ?? facts.groups[0].metrics[0] ?? null,
  codec: null,
  axis: "kbps",
  log: true,
});
shared.listen((changed) => {
  // A metric of speech is no metric of the music group.
  const group = facts.groups[shared.values.group];
  if (changed.includes("group") && !group.metrics.includes(shared.values.metric))
    shared.set({ metric: group.metrics[0] ?? null });
});

makeTable(facts, shared);
makePlot(facts, shared);
const listening = makeListening(facts, shared);
makeCodec(facts, shared, listening);

const { audioMb } = facts.listening;
const audioSaid = audioMb ? `; ${audioMb.toFixed(1)} MB of it are audio` : "";
byId("foot").append(
  html(
    "p",
    {},
    `Every number comes from the records of ${facts.title}. `,
    `This page is one file that asks for nothing from any network${audioSaid}.`,
  ),
);

// For the console and for tests: what plays, and where.
window.codeczooPage = Object.freeze({ player: listening.player });
