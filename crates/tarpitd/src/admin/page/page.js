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

/** Whole seconds in the two largest units, as the program's own `units.rs` writes them. */
function span(seconds) {
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
    if (seconds < 1) return "0 s";
    let rest = Math.floor(seconds);
    return units.slice(first, first + 2).map(([unit, size]) => {
        const many = Math.floor(rest / size);
        rest -= many * size;
        return many || size === units[first][1] ? `${count(many)} ${unit}` : "";
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

/** A picture with a sentence that says what it shows. */
function picture(place, width, height, says, ...shapes) {
    place.replaceChildren(shape(
        "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": says }, ...shapes,
    ));
}

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
    const most = Math.max(1, ...values);
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
    columns(at("hours"), hours, labels, `${count(hours.at(-1) ?? 0)} new clients in the last hour, ${count(hours.reduce((sum, one) => sum + one, 0))} in the last 24.`);
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
    columns(at("durations"), values, labels, `How long ${count(all)} clients stayed who have left.`);
}

/** A list of names and counts; the longest bar is the greatest count. */
function showBars(place, list, name = (one) => one.name) {
    const most = Math.max(1, ...list.map((one) => one.clients));
    if (!list.length) {
        place.replaceChildren(element("li", { class: "none" }, "none so far"));
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

function showWorld(countries) {
    at("world").hidden = !countries;
    if (!countries) return;
    const clients = new Map(countries.map((one) => [one.name, one.clients]));
    const most = Math.max(1, ...clients.values());
    const size = 10;
    const tiles = world.flatMap((row, y) => [...row.matchAll(/[A-Z]{2}/g)].map((match) => {
        const many = clients.get(match[0]) ?? 0;
        return shape("rect", {
            class: many ? "caught" : "land", x: match.index / 2 * size, y: y * size,
            width: size - 1, height: size - 1, rx: 1.5,
            "fill-opacity": many ? .3 + .7 * Math.log1p(many) / Math.log1p(most) : 1,
        }, shape("title", {}, `${countryName(match[0])}: ${count(many)}`));
    }));
    picture(at("map"), 44 * size, world.length * size, `Clients came from ${count(clients.size)} countries; the list below names those with most.`, ...tiles);
    showBars(at("countries"), countries.slice(0, 12), (one) => countryName(one.name));
}

function showRows(place, rows) {
    const cell = (kind, text) => element("td", kind ? { class: kind } : {}, text);
    place.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map(([kind, text]) => cell(kind, text)))));
}

function showClients(place, clients) {
    showRows(place.querySelector("tbody"), clients.map((one) => [
        ["who", one.address], ["", one.tarpit], ["", one.protocol ?? ""], ["n", span(one.seconds)],
        ["n", bytes(one.sent)], ["says", one.says ?? ""],
    ]));
}

function show(news) {
    at("about").textContent = news.about;
    document.title = `${count(news.held)} held - tarpitd`;
    at("held").textContent = count(news.held);
    at("time").textContent = span(news.held_seconds);
    at("opened").textContent = count(news.opened);
    at("refused").textContent = count(news.refused);
    at("sent").textContent = bytes(news.sent);
    at("price").textContent = bytes(news.bytes_a_client_hour);
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
for (const list of ["longest", "newest"]) at(list).append(at("clients").content.cloneNode(true));
// The page brings its first figures along.
show(JSON.parse(at("news").textContent));
const connection = at("connection");
const events = new EventSource("events");
events.onmessage = (event) => {
    connection.textContent = "live";
    connection.className = "";
    show(JSON.parse(event.data));
};
events.onerror = () => {
    connection.textContent = "The connection is lost; the figures are old. Trying again.";
    connection.className = "lost";
};
