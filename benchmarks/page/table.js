// The table: a row a codec, a column a metric, sorted by any of them. Intervals are drawn on a scale that all rows of a
// column share, so that overlap can be seen; what cannot be told apart is said by the marks, never by overlap alone.

const lettersOf = (cell) => cell?.letters?.match(/[a-z]\d*/g) ?? [];

// Whether two codecs cannot be told apart under a metric; null where the test says nothing about them.
const sameGroup = (one, other) => {
  const [mine, theirs] = [lettersOf(one), lettersOf(other)];
  if (!mine.length || !theirs.length) return null;
  return mine.some((letter) => theirs.includes(letter));
};

const makeTable = (data, shared) => {
  const facts = new Map(data.metrics.map((metric) => [metric.name, metric]));
  let sort = null; // {key, best: whether the best comes first}

  const columns = (group) => [
    { key: "codec", head: "Codec", value: (row) => row.codec, text: true },
    { key: "kbps", head: "kbps", hint: "measured bits over seconds of audio", value: (row) => row.kbps, low: true },
    { key: "tokens", head: "tokens/s", hint: "tokens a second", value: (row) => row.tokens, low: true },
    { key: "codebooks", head: "Nq", hint: "codebooks", value: (row) => row.codebooks, low: true },
    ...group.metrics.map((name) => {
      const fact = facts.get(name);
      const unit = fact.unit ? ` (${fact.unit})` : "";
      return {
        key: `metric:${name}`,
        metric: name,
        head: `${fact.label}${unit}`,
        hint: fact.description,
        arrow: fact.higher ? "↑" : "↓",
        low: !fact.higher,
        value: (row) => row.cells[name]?.mean ?? null,
      };
    }),
    { key: "clips", head: "clips", hint: "clips measured", value: (row) => row.clips },
  ];

  // Rows in the chosen order: what has no value is last either way, the reference always first.
  const ordered = (group, column) => {
    const rows = group.rows.filter((row) => !row.reference);
    if (column) {
      const upwards = Boolean(column.low || column.text) === sort.best;
      rows.sort((one, other) => {
        const [a, b] = [column.value(one), column.value(other)];
        if (a === null || b === null) return (a === null) - (b === null);
        const order = column.text ? String(a).localeCompare(String(b), "en", { numeric: true }) : a - b;
        return upwards ? order : -order;
      });
    }
    return [...group.rows.filter((row) => row.reference), ...rows];
  };

  const headCell = (column) => {
    const sorted = sort?.key === column.key;
    const upwards = sorted && Boolean(column.low || column.text) === sort.best;
    const click = () => {
      sort = { key: column.key, best: sorted ? !sort.best : true };
      if (column.metric && column.metric !== shared.values.metric) shared.set({ metric: column.metric });
      else draw();
      byId("quality").querySelector(`th[aria-sort] button`)?.focus({ preventScroll: true });
    };
    return html(
      "th",
      {
        scope: "col",
        "aria-sort": sorted ? (upwards ? "ascending" : "descending") : null,
        class: [
          column.text ? "text" : "number",
          column.metric && column.metric === shared.values.metric ? "current" : "",
        ].join(" "),
        "data-key": column.key,
      },
      html(
        "button",
        { type: "button", click, title: column.hint },
        column.head,
        column.arrow
          ? html(
              "span",
              { class: "arrow", title: column.low ? "lower is better" : "higher is better" },
              `\u00a0${column.arrow}`,
            )
          : null,
        html("span", { class: "sorted", "aria-hidden": "true" }, sorted ? (upwards ? "▲" : "▼") : ""),
      ),
    );
  };

  const definitions = (group) =>
    html(
      "details",
      {},
      html("summary", {}, "What the metrics are"),
      html(
        "dl",
        { class: "definitions" },
        group.metrics.map((metric) => {
          const fact = facts.get(metric);
          const better = `${fact.unit ? `in ${fact.unit}, ` : ""}${fact.higher ? "more" : "less"} is better`;
          return [
            html("dt", {}, fact.label),
            html("dd", {}, `${fact.description} (${metric}; ${better}. ${fact.source})`),
          ];
        }),
      ),
    );

  const scales = (group) => {
    const found = new Map();
    for (const name of group.metrics) {
      const cells = group.rows.map((row) => row.cells[name]).filter((cell) => cell && cell.mean !== null);
      const ends = cells.flatMap((cell) => [cell.low ?? cell.mean, cell.high ?? cell.mean]);
      if (ends.length) found.set(name, [Math.min(...ends), Math.max(...ends)]);
    }
    return found;
  };

  const whisker = (cell, [low, high]) => {
    const at = (value) => (high > low ? 2 + (56 * (value - low)) / (high - low) : 30).toFixed(1);
    const bar =
      cell.low === undefined || cell.low === null
        ? null
        : svg("line", { x1: at(cell.low), x2: at(cell.high), y1: 4, y2: 4, class: "interval" });
    return svg(
      "svg",
      { class: "whisker", viewBox: "0 0 60 8", width: 60, height: 8, "aria-hidden": "true" },
      svg("line", { x1: 2, x2: 58, y1: 4, y2: 4, class: "rail" }),
      bar,
      svg("circle", { cx: at(cell.mean), cy: 4, r: 2.4 }),
    );
  };

  const metricCell = (row, name, scale, against) => {
    const cell = row.cells[name];
    if (!cell) return html("td", { class: "number none", title: "not asked of this codec" }, "–");
    const lost = cell.lost.join("; ");
    if (cell.mean === null) {
      const word = lost.includes("failed") ? "failed" : lost.includes("undefined") ? "undefined" : "not measured";
      return html("td", { class: "number none", title: lost, "aria-label": `${word}: ${lost}` }, word);
    }
    const tied = against ? row.codec !== against.codec && sameGroup(cell, against.cells[name]) === true : cell.tied;
    const classes = ["number", cell.rank, tied ? "tied" : "", row.reference || cell.compared ? "" : "apart"];
    const interval = cell.interval ? `95 % interval ${cell.interval}` : "no interval: too few clips or speakers";
    const notes = [interval, `${cell.n} clips`];
    if (lost) notes.push(lost);
    if (!row.reference && !cell.compared) notes.push("over other clips or under another definition: not compared");
    return html(
      "td",
      { class: classes.join(" ").trim(), title: notes.join("\n"), "data-value": cell.mean },
      html("span", { class: "mean" }, cell.text),
      html(
        "span",
        { class: "mark" },
        tied ? "≈" : "",
        cell.complete ? "" : html("span", { class: "fewer" }, ` n=${cell.n}`),
      ),
      cell.interval ? html("span", { class: "range" }, cell.interval) : null,
      whisker(cell, scale),
      tied
        ? html(
            "span",
            { class: "hidden" },
            against ? `not told apart from ${against.codec}` : "not told apart from the best",
          )
        : null,
    );
  };

  const bodyRow = (row, group, columnScales, against) => {
    const selected = row.codec === shared.values.codec && !row.reference;
    const choose = () => row.reference || shared.set({ codec: selected ? null : row.codec });
    const label = row.reference
      ? html("span", { class: "reference" }, "Reference")
      : html(
          "button",
          { type: "button", class: "codec", "aria-pressed": String(selected), title: selected ? "let go" : "select" },
          badge(data.styles[row.family]),
          html("span", {}, breakable(row.codec)),
          row.otherClips
            ? html("span", { class: "mark", title: "measured on other clips than the others" }, " ‡")
            : null,
        );
    const nominal =
      row.nominalKbps === null ? null : html("span", { class: "range" }, `nominal ${significant(row.nominalKbps)}`);
    const stated =
      row.kbpsKind === "stated"
        ? html("span", { class: "mark", title: "stated by whoever decoded the audio" }, "†")
        : null;
    return html(
      "tr",
      {
        class: [selected ? "selected" : "", row.reference ? "reference" : ""].join(" ").trim() || null,
        "data-codec": row.codec,
        click: choose,
      },
      html("th", { scope: "row" }, label),
      html("td", { class: "number", "data-value": row.kbps }, row.kbpsText, stated, nominal),
      html("td", { class: "number", "data-value": row.tokens }, row.tokens === null ? "–" : significant(row.tokens, 4)),
      html("td", { class: "number", "data-value": row.codebooks }, row.codebooks ?? "–"),
      group.metrics.map((metric) => metricCell(row, metric, columnScales.get(metric), against)),
      html("td", { class: "number", "data-value": row.clips }, row.clips),
    );
  };

  const draw = () => {
    const group = data.groups[shared.values.group];
    const all = columns(group);
    const against = group.rows.find((row) => row.codec === shared.values.codec && !row.reference) ?? null;
    const rows = ordered(group, sort && all.find((column) => column.key === sort.key));
    const columnScales = scales(group);
    const place = byId("quality").querySelector(".scroller")?.scrollLeft ?? 0;
    const groups = data.groups.map((each, number) => [String(number), `${each.name} (${plural(each.clips, "clip")})`]);
    const chooser =
      data.groups.length > 1
        ? labelled(
            data.groupBy,
            select(groups, String(shared.values.group), (value) => shared.set({ group: Number(value), codec: null })),
          )
        : null;
    const explained = against
      ? `≈ cannot be told apart from ${against.codec} with these clips (paired test at 5 %, corrected for all pairs).`
      : data.tiedNote;
    section(
      "quality",
      `Quality: ${group.name}`,
      html(
        "div",
        { class: "controls" },
        chooser,
        against
          ? html(
              "button",
              { type: "button", class: "plain", click: () => shared.set({ codec: null }) },
              `Let go of ${against.codec}`,
            )
          : null,
      ),
      html(
        "div",
        { class: "scroller", tabindex: 0, role: "region", "aria-labelledby": "quality-head" },
        html(
          "table",
          { class: "quality" },
          html(
            "caption",
            {},
            "Means with 95 % confidence intervals. A head sorts; a row selects its codec here, in the plot and below.",
          ),
          html("thead", {}, html("tr", {}, all.map(headCell))),
          html(
            "tbody",
            {},
            rows.map((row) => bodyRow(row, group, columnScales, against)),
          ),
        ),
      ),
      html(
        "ul",
        { class: "notes" },
        group.tooFew ? null : html("li", {}, explained),
        html("li", {}, "Bold is best and underlined second, ranked only among means over the very same clips."),
        group.notes.map((note) => html("li", {}, note)),
      ),
      definitions(group),
    );
    byId("quality").querySelector(".scroller").scrollLeft = place;
  };

  shared.listen((changed) => {
    if (!changed.some((key) => ["group", "codec", "metric"].includes(key))) return;
    const held = document.activeElement?.closest("#quality tr[data-codec]")?.dataset.codec;
    draw();
    if (held === undefined) return;
    const rows = [...byId("quality").querySelectorAll("tr[data-codec]")];
    rows
      .find((row) => row.dataset.codec === held)
      ?.querySelector("button")
      ?.focus({ preventScroll: true });
  });
  draw();
};
