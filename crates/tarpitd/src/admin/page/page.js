// The page's figures, kept up to date. Nothing here is ever parsed as HTML: all that comes from
// clients goes into the page as text.

const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);

/** Where each country stands on the map: rows of tiles, each of two letters. */
const world = at("tiles").textContent.trimEnd().split("\n");

function element(name, attributes = {}, ...content) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...content);
    return made;
}

function shape(name, attributes = {}, ...content) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...content);
    return made;
}

const whole = new Intl.NumberFormat("en");
const count = (number) => whole.format(Math.round(number));
const many = (number, one, more) => `${count(number)} ${number === 1 ? one : more}`;

/** Sets a text only where it differs: what has not changed stays selected, and is read out once. */
function write(place, text) {
    if (place.textContent !== text) place.textContent = text;
}

/** Whole seconds in the two largest units, as the program's own `units.rs` writes them. */
function span(seconds) {
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
    if (seconds < 1) return "0 s";
    let rest = Math.floor(seconds);
    return units.slice(first, first + 2).map(([unit, size]) => {
        const full = Math.floor(rest / size);
        rest -= full * size;
        return full || size === units[first][1] ? `${count(full)} ${unit}` : "";
    }).filter(Boolean).join(" ");
}

function bytes(number) {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let unit = 0;
    while (number >= (unit ? 999.5 : 1000) && unit < units.length - 1) {
        number /= 1000;
        unit += 1;
    }
    return `${unit && number < 99.5 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

/** A picture with a text that says what it shows. Its shapes are for the eye only. */
function picture(place, width, height, says, ...shapes) {
    place.replaceChildren(shape(
        "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": says },
        shape("g", { "aria-hidden": "true" }, ...shapes),
    ));
}

/** What stands where there is nothing to show. */
const nothing = (name) => element(name, { class: "none" }, "none so far");

const WIDE = 480, HIGH = 150, BOTTOM = 18, TOP = 14;
const height = (value, most) => (HIGH - BOTTOM - TOP) * value / Math.max(1, most);

/** The greatest value and a rule at its height. */
function scale(most) {
    return [
        shape("line", { class: "rule", x1: 0, x2: WIDE, y1: TOP, y2: TOP }),
        shape("line", { class: "rule", x1: 0, x2: WIDE, y1: HIGH - BOTTOM, y2: HIGH - BOTTOM }),
        shape("text", { x: 0, y: TOP - 3 }, count(most)),
    ];
}

function showDay({ every, held, now }) {
    const values = [...held, now];
    const most = Math.max(1, ...values);
    const places = 24 * 3600 / every;
    const x = (index) => WIDE * (places - values.length + 1 + index) / places;
    const points = values.map((value, index) => `${x(index).toFixed(1)},${(HIGH - BOTTOM - height(value, most)).toFixed(1)}`);
    picture(at("day"), WIDE, HIGH, `Held now ${count(now)}, at most ${count(most)} in the last 24 hours.`,
        ...scale(most),
        shape("polygon", { class: "area", points: `${x(0).toFixed(1)},${HIGH - BOTTOM} ${points.join(" ")} ${WIDE},${HIGH - BOTTOM}` }),
        shape("polyline", { class: "stroke", points: points.join(" ") }),
        shape("text", { x: 0, y: HIGH - 4 }, "24 h ago"),
        shape("text", { x: WIDE, y: HIGH - 4, "text-anchor": "end" }, "now"),
    );
}

function columns(place, values, labels, says) {
    const most = Math.max(...values);
    if (!most) {
        place.replaceChildren(nothing("p"));
        return;
    }
    const width = WIDE / values.length;
    picture(place, WIDE, HIGH, says, ...scale(most), ...values.flatMap((value, index) => [
        shape("rect", {
            class: "column", x: index * width + 1, width: width - 2,
            y: HIGH - BOTTOM - height(value, most), height: height(value, most),
        }, shape("title", {}, `${labels[index].whole}: ${count(value)}`)),
        labels[index].short
            ? shape("text", { x: (index + .5) * width, y: HIGH - 4, "text-anchor": "middle" }, labels[index].short)
            : "",
    ]));
}

function showHours(hours) {
    const labels = hours.map((_, index) => {
        const ago = hours.length - 1 - index;
        return {
            short: ago % 6 ? "" : ago ? `-${ago} h` : "now",
            whole: ago ? `${ago + 1} to ${ago} h ago` : "the last hour",
        };
    });
    const all = hours.reduce((sum, one) => sum + one, 0);
    const most = Math.max(...hours);
    columns(at("hours"), hours, labels, `${many(hours.at(-1) ?? 0, "new client", "new clients")} in the last hour, ${count(all)} in the last 24. Most in an hour: ${count(most)}, ${labels[hours.indexOf(most)].whole}.`);
}

function showDurations(durations) {
    const labels = durations.map(({ to }, index) => {
        const from = index ? span(durations[index - 1].to) : "0 s";
        return to === null
            ? { short: "", whole: `longer than ${from}` }
            : { short: index % 3 ? "" : span(to), whole: `${from} to ${span(to)}` };
    });
    const values = durations.map((one) => one.clients);
    const all = values.reduce((sum, one) => sum + one, 0);
    const each = values.flatMap((value, index) => value ? [`${labels[index].whole}: ${count(value)}`] : []);
    columns(at("durations"), values, labels, `How long ${many(all, "client", "clients")} stayed that left. ${each.join("; ")}.`);
}

/** What each list shows. */
const shown = new Map();

/** A list of names and counts; the longest bar is the greatest count. */
function showBars(place, list, name = (one) => one.name) {
    const news = JSON.stringify(list);
    if (shown.get(place) === news) return;
    shown.set(place, news);
    const most = Math.max(1, ...list.map((one) => one.clients));
    if (!list.length) {
        place.replaceChildren(nothing("li"));
        return;
    }
    place.replaceChildren(...list.map((one) => {
        const bar = element("span", { class: "bar", "aria-hidden": "true" });
        bar.style.width = `${100 * one.clients / most}%`;
        return element("li", {}, bar, element("span", {}, name(one)), element("span", { class: "n" }, count(one.clients)));
    }));
}

function countryName(code) {
    try {
        return new Intl.DisplayNames("en", { type: "region" }).of(code) ?? code;
    } catch {
        return code;
    }
}

/** How many countries the list names. */
const NAMED = 12;

function showWorld(countries) {
    at("world").hidden = !countries;
    if (!countries) return;
    const known = countries.filter((one) => one.name !== "unknown");
    const clients = new Map(known.map((one) => [one.name, one.clients]));
    const most = Math.max(1, ...clients.values());
    const size = 10;
    const tiles = world.flatMap((row, y) => [...row.matchAll(/[A-Z]{2}/g)].map((match) => {
        const came = clients.get(match[0]) ?? 0;
        return shape("rect", {
            class: came ? "caught" : "land", x: match.index / 2 * size, y: y * size,
            width: size - 1, height: size - 1, rx: 1.5,
            "fill-opacity": came ? .3 + .7 * Math.log1p(came) / Math.log1p(most) : 1,
        }, shape("title", {}, `${countryName(match[0])}: ${count(came)}`));
    }));
    const first = known.length ? `, most from ${countryName(known[0].name)} (${count(known[0].clients)})` : "";
    picture(at("map"), 44 * size, world.length * size, `A map of the world. Clients came from ${many(known.length, "country", "countries")}${first}. The list below has their numbers.`, ...tiles);
    const rest = countries.slice(NAMED);
    const others = { name: many(rest.length, "other", "others"), clients: rest.reduce((sum, one) => sum + one.clients, 0) };
    const list = rest.length ? [...countries.slice(0, NAMED), others] : countries;
    showBars(at("countries"), list, (one) => countryName(one.name));
}

/** The rows of a table; the first cell of each names it. */
function showRows(place, rows) {
    while (place.rows.length > rows.length) place.deleteRow(-1);
    rows.forEach((row, index) => {
        const made = place.rows[index] ?? place.appendChild(element("tr", {}, ...row.map(([kind], column) =>
            element(column ? "td" : "th", { ...column ? {} : { scope: "row" }, ...kind ? { class: kind } : {} }))));
        row.forEach(([, text], column) => write(made.cells[column], text));
    });
}

function showClients(place, clients) {
    showRows(place.querySelector("tbody"), clients.map((one) => [
        ["who", one.address], ["", one.tarpit], ["", one.protocol ?? ""], ["n", span(one.seconds)],
        ["n", bytes(one.sent)], ["says", one.says ?? ""],
    ]));
}

function show(news) {
    write(at("about"), news.about);
    document.title = `${count(news.held)} held - tarpitd`;
    write(at("held"), count(news.held));
    write(at("time"), span(news.held_seconds));
    write(at("opened"), count(news.opened));
    write(at("refused"), count(news.refused));
    write(at("sent"), bytes(news.sent));
    write(at("price"), bytes(news.bytes_a_client_hour));
    showRows(at("tarpits"), news.tarpits.map((one) => [
        ["", one.name], ["", one.pattern], ["n", count(one.held)], ["n", count(one.opened)],
        ["n", count(one.refused)], ["n", span(one.held_seconds)],
        ["who", one.longest ? `${one.longest.address}, ${span(one.longest.seconds)}` : ""],
    ]));
    showDay(news.day);
    showHours(news.hours);
    showDurations(news.durations);
    showBars(at("protocols"), news.protocols);
    showWorld(news.countries);
    showClients(at("longest"), news.longest);
    showClients(at("newest"), news.newest);
    showBars(at("users"), news.users);
    at("secrets").hidden = !news.passwords;
    showBars(at("passwords"), news.passwords ?? []);
    showBars(at("networks"), news.networks);
}

document.querySelector(".script").hidden = false;
for (const list of ["longest", "newest"]) {
    at(list).append(at("clients").content.cloneNode(true));
    at(list).querySelector("table").setAttribute("aria-labelledby", `${list}-title`);
}
// The page brings its first figures along.
show(JSON.parse(at("news").textContent));
const connection = at("connection");
const events = new EventSource("events");
events.onmessage = (event) => {
    write(connection, "live");
    connection.className = "";
    show(JSON.parse(event.data));
};
events.onerror = () => {
    write(connection, "The connection is lost; the figures are old. Trying again.");
    connection.className = "lost";
};
