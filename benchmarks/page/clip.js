// A clip in words: times, gains, and what must be said under its versions.

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

const gainText = (version) => {
  const sign = version.gainDb > 0 ? "+" : version.gainDb < 0 ? "−" : "";
  return `${sign}${Math.abs(version.gainDb).toFixed(1)} dB`;
};

const delayText = (delayMs) => {
  if (delayMs === undefined || delayMs === null) return "–";
  return `${delayMs < 0 ? "−" : ""}${significant(Math.abs(delayMs))} ms`;
};

// Where each version comes from and what it was checked by; where most are alike, only the others are named.
const originNotes = (versions) => {
  const alike = new Map();
  for (const version of versions.filter((each) => each.how)) {
    const text = `${version.how}; ${version.checked}`;
    alike.set(text, [...(alike.get(text) ?? []), version.name]);
  }
  const sorted = [...alike].sort((one, other) => one[1].length - other[1].length);
  return sorted.map(([text, names], place) => {
    const isRest = place === sorted.length - 1 && (sorted.length === 1 || names.length > 3);
    const who = isRest ? `Every ${sorted.length === 1 ? "" : "other "}codec` : names.join(", ");
    return `${who}: ${text}.`;
  });
};

const clipNotes = (clip, listening) => {
  const lowered =
    clip.loweredDb > 0 ? ` All are ${clip.loweredDb.toFixed(1)} dB lower than that, so that none clips.` : "";
  const part =
    clip.seconds < clip.wholeSeconds - 0.001
      ? ` The first ${significant(clip.seconds)} of ${significant(clip.wholeSeconds)} s are heard.`
      : "";
  return [
    `Levels: ${listening.method}. Each gain is shown.${lowered}${part}`,
    `Audio: ${listening.format}, mono, at the reference's ${clip.sampleRateHz} Hz. ` +
      "Scores are of this clip alone, from the records.",
    ...originNotes(clip.versions.filter((version) => version.file !== undefined)),
    ...clip.versions.filter((version) => version.note).map((version) => `${version.name}: ${version.note}.`),
  ];
};
