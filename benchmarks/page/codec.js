// The codec that is selected: what it sends, how it behaved, which it cannot be told apart from, and the clips on which
// it does worst and best. Where none is selected, the worst and best clips of every codec under the metric.

const makeCodec = (data, shared, listening) => {
  const facts = new Map(data.metrics.map((metric) => [metric.name, metric]));

  const clipItem = ([id, name, value], codec) =>
    html(
      "li",
      {},
      html("span", { class: "value" }, value),
      " ",
      listening.has(id)
        ? html("button", { type: "button", class: "plain", click: () => listening.open(id, codec) }, `▶ ${name}`)
        : html("span", { class: "name" }, name),
    );

  const clipLists = (group, metric, codec) => {
    const found = group.extremes[metric]?.[codec];
    if (!found)
      return html("p", { class: "empty" }, `${codec} has no value of ${facts.get(metric)?.label ?? "a metric"} here.`);
    return html(
      "div",
      { class: "extremes" },
      [
        ["Worst", found.worst],
        ["Best", found.best],
      ].map(([word, clips]) =>
        html(
          "div",
          {},
          html("h4", {}, `${word} clips, ${facts.get(metric).label}`),
          html(
            "ol",
            {},
            clips.map((clip) => clipItem(clip, codec)),
          ),
        ),
      ),
    );
  };

  const overview = (group, metric) => {
    const rows = group.rows.filter((row) => group.extremes[metric]?.[row.codec]);
    if (!rows.length) return html("p", { class: "empty" }, "Nothing was scored here.");
    const list = (row, side) =>
      html(
        "ol",
        { class: "inline" },
        group.extremes[metric][row.codec][side].slice(0, 2).map((clip) => clipItem(clip, row.codec)),
      );
    return html(
      "div",
      { class: "scroller", tabindex: 0, role: "region", "aria-label": "Worst and best clips" },
      html(
        "table",
        { class: "clips" },
        html(
          "thead",
          {},
          html(
            "tr",
            {},
            ["Codec", "Worst clips", "Best clips"].map((text) => html("th", { scope: "col" }, text)),
          ),
        ),
        html(
          "tbody",
          {},
          rows.map((row) =>
            html(
              "tr",
              {},
              html("th", { scope: "row" }, badge(data.styles[row.family]), row.codec),
              html("td", {}, list(row, "worst")),
              html("td", {}, list(row, "best")),
            ),
          ),
        ),
      ),
    );
  };

  const RATES = {
    packed: "whole bits a token",
    payload: "bytes of the packets",
    stated: "stated by whoever decoded the audio",
  };

  const rateText = (row) => {
    if (row.kbps === null) return "nothing was encoded";
    const nominal = row.nominalKbps === null ? "" : `; nominal ${significant(row.nominalKbps)} kbps`;
    return `${row.kbpsText} kbps, ${RATES[row.kbpsKind] ?? row.kbpsKind}${nominal}`;
  };

  const tokenText = (row) => {
    if (row.tokens === null) return "none: its bits are packets";
    return `${significant(row.tokens, 4)} a second in ${plural(row.codebooks ?? 1, "codebook")}`;
  };

  const delaysText = (delay) => {
    if (!delay) return "not known";
    const [median, least, most] = delay.map(delayText);
    return least === most ? median : `${median}, from ${least} to ${most}`;
  };

  const speedText = (conduct) => {
    const said = [
      conduct?.encodeRtf ? `encodes at ${significant(1 / conduct.encodeRtf, 2)} times real time` : "",
      conduct?.decodeRtf ? `decodes at ${significant(1 / conduct.decodeRtf, 2)} times` : "",
    ].filter(Boolean);
    return said.length ? `${said.join(", ")} (${conduct.conditions.join(" / ")})` : "not timed";
  };

  const factList = (row) => {
    const clipped = row.conduct?.clippedOutput ?? null;
    const others = row.otherClips ? "; other clips than the other rows: not compared" : "";
    const rows = [
      ["Bitrate", rateText(row)],
      ["Tokens", tokenText(row)],
      ["Measured on", `${plural(row.clips, "clip")}, ${significant(row.seconds, 4)} s${others}`],
      ["Delay", delaysText(row.conduct?.delayMs)],
      ["Speed", speedText(row.conduct)],
      ["Clipped", clipped === null ? "not known" : `${plural(clipped, "sample")} outside of full scale`],
    ];
    return html(
      "dl",
      {},
      rows.map(([term, text]) => [html("dt", {}, term), html("dd", {}, text)]),
    );
  };

  const ties = (group, row) => {
    if (group.tooFew) return html("p", {}, "With so few clips no two codecs can be told apart.");
    const items = group.metrics.flatMap((metric) => {
      const own = row.cells[metric];
      if (!lettersOf(own).length) return [];
      const alike = group.rows.filter(
        (other) => other.codec !== row.codec && !other.reference && sameGroup(own, other.cells[metric]),
      );
      const text = alike.length
        ? alike.map((other) => other.codec).join(", ")
        : "none: it is told apart from every other";
      return [html("dt", {}, facts.get(metric).label), html("dd", {}, text)];
    });
    return items.length ? html("dl", {}, items) : html("p", {}, "No other codec has the same clips and definitions.");
  };

  const losses = (group, row) => {
    const lines = group.metrics.flatMap((metric) =>
      (row.cells[metric]?.lost ?? []).map((text) => html("li", {}, `${facts.get(metric).label}: ${text}`)),
    );
    return lines.length ? [html("h3", {}, "Clips without a value"), html("ul", { class: "notes" }, lines)] : [];
  };

  const draw = () => {
    const group = data.groups[shared.values.group];
    const { codec, metric } = shared.values;
    const row = group.rows.find((each) => each.codec === codec && !each.reference);
    const choices = group.metrics.map((name) => [name, facts.get(name).label]);
    const names = group.rows.filter((each) => !each.reference).map((each) => [each.codec, each.codec]);
    const controls = html(
      "div",
      { class: "controls" },
      labelled(
        "Codec",
        select([["", "all"], ...names], row ? codec : "", (value) => shared.set({ codec: value || null })),
      ),
      labelled(
        "Metric",
        select(choices, metric, (value) => shared.set({ metric: value })),
      ),
    );
    if (!row) {
      section("codec", "Worst and best clips", controls, overview(group, metric));
      return;
    }
    section(
      "codec",
      `Codec: ${row.codec}`,
      controls,
      html(
        "div",
        { class: "columns" },
        html("div", {}, html("h3", {}, "Facts"), factList(row), losses(group, row)),
        html("div", {}, html("h3", {}, "Cannot be told apart from"), ties(group, row)),
        html("div", {}, html("h3", {}, "Clips"), clipLists(group, metric, row.codec)),
      ),
    );
  };

  shared.listen((changed) => {
    if (!changed.some((key) => ["group", "codec", "metric"].includes(key))) return;
    const focused = byId("codec").contains(document.activeElement)
      ? [...byId("codec").querySelectorAll("select")].indexOf(document.activeElement)
      : -1;
    draw();
    if (focused >= 0) byId("codec").querySelectorAll("select")[focused].focus({ preventScroll: true });
  });
  draw();
};
