// Figures and times as people say them. Pure.

export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${seconds} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]].map(([size, word], index, all) =>
    [Math.floor((index ? seconds % all[index - 1][0] : seconds) / size), word]);
  return parts.filter(([count]) => count).slice(0, 2).map(([count, word]) => `${count} ${word}`).join(" ");
}

export const ago = (at, now) => {
  const ms = now - Date.parse(at);
  return ms < 5000 ? "just now" : `${span(ms).split(" ").slice(0, 2).join(" ")} ago`;
};

export const number = (value) => Math.round(value).toLocaleString("en-US");
export const credits = (value) => value >= 100 ? number(value) : value >= 1 ? value.toFixed(1) : value ? value.toFixed(3) : "0";

// One column of figures: all with as many decimals as its largest needs, so that they compare at a glance.
export function column(values) {
  const most = Math.max(0, ...values), places = most >= 1000 ? 0 : most >= 1 ? 1 : 3, least = 10 ** -places;
  const said = (value) => value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  return (value) => value > 0 && value < least / 2 ? `<${said(least)}` : said(value);
}
// The same for spans, in one unit.
export function spans(all) {
  const most = Math.max(0, ...all), [size, unit] = most >= 7.2e6 ? [3.6e6, "h"] : most >= 120e3 ? [60e3, "min"] : [1000, "s"], said = column(all.map((ms) => ms / size));
  return (ms) => most < 1000 ? `${number(ms)} ms` : `${said(ms / size)} ${unit}`;
}

export function bytes(count) {
  const [value, unit] = count < 1000 ? [count, "B"] : count < 1e6 ? [count / 1e3, "kB"] : count < 1e9 ? [count / 1e6, "MB"] : [count / 1e9, "GB"];
  return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const moment = (at) => new Date(at).toLocaleString([], { weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
export const whole = (at) => new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

// What the server says of a run, for who reads it here: this place's time, no ids of things that have names, words for codes.
export const plain = (text) => String(text ?? "").replace(/(\d{4}-\d\d-\d\d) (\d\d:\d\d)(?::\d\d)? UTC/g, (_, day, time) => moment(`${day}T${time}Z`))
  .replace(/ \((?:ask|run|plan)_\w+(?:, ([^)]*))?\)/g, (_, rest) => (rest ? ` (${rest})` : "")).replace(/ \(slice \d+ on [^)]*\)/, "").replace(/\b(plan|schedule) (?:plan|sched)_\w+/g, "$1")
  .replace(/^ask_\w+: /, "").replace(/^[a-z]+(?:_[a-z]+)+(?=: )/, (code) => code.replaceAll("_", " "));
export const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…:]$/.test(text) ? "" : "."}`;
// Markdown in one line.
export const bare = (text, most) => short(String(text).replace(/[*`]+|^\s*(?:#+|[-*]) /gm, ""), most);

// Marks that turn the direction of the text around them make other words appear than are meant: where somebody decides, they are
// seen; and in exact arguments every sign that would not be. `policy/shown.py` does the same where there are no scripts.
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const unturned = (text) => String(text ?? "").replace(TURNS, "\ufffd");
const numbered = (sign) => [...Array(sign.length).keys()].map((at) => `\\u${sign.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
export const json = (value) => JSON.stringify(value, null, 2).replace(/\p{Cf}/gu, numbered);

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
export const short = (text, most = 140) => {
  const line = String(text).replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

// A call in one line: the arguments that say most about it.
export function callLine(args) {
  if (!args || typeof args !== "object") return "";
  return short(Object.entries(args).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("  "), 160);
}
