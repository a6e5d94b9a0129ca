// Checks the proof of one leaf here, in the browser, with nothing but the page and WebCrypto: the entry's hash climbs
// to the root of the checkpoint (RFC 9162 section 2.1.3.2), and the log's own key signed that checkpoint.
"use strict";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const text = new TextEncoder();
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

const digest = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

function parsed(proof) {
  const blank = proof.indexOf("\n\n"), lines = proof.slice(0, blank).split("\n"), note = proof.slice(blank + 2);
  if (blank < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("form");
  const entry = lines[0].startsWith("extra ") ? bytesOf(lines.shift().slice(6)) : null;
  const index = BigInt(/^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift())[1]);
  return { entry, index, path: lines.map(bytesOf), ...noted(note) };
}

function noted(note) {
  const end = note.lastIndexOf("\n\n"), body = note.slice(0, end + 1), [origin, size, root] = body.split("\n");
  if (end < 0 || !/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new Error("form");
  const signatures = note.slice(end + 2).split("\n").filter(Boolean).map((line) => line.split(" "));
  return { origin, size: BigInt(size), root: bytesOf(root), body, signatures };
}

async function climbs(told, entry) {
  let here = told.index, last = told.size - 1n, node = await digest([0], entry);
  if (here > last) return false;
  for (const sibling of told.path) {
    if (last === 0n) return false;
    if (here & 1n || here === last) {
      node = await digest([1], sibling, node);
      while (!(here & 1n) && here !== 0n) { here >>= 1n; last >>= 1n; }
    } else node = await digest([1], node, sibling);
    here >>= 1n; last >>= 1n;
  }
  return last === 0n && same(node, told.root);
}

async function signed(told, vkey) {
  const [name, , ...rest] = vkey.trim().split("+"), material = bytesOf(rest.join("+"));
  if (name !== told.origin || material[0] !== 1 || material.length !== 33) return false;
  const id = (await digest(text.encode(`${name}\n`), material)).slice(0, 4);
  const key = await crypto.subtle.importKey("raw", material.slice(1), { name: "Ed25519" }, false, ["verify"]);
  for (const [dash, signer, base64] of told.signatures) {
    const line = dash === "\u2014" && signer === name ? bytesOf(base64) : [];
    if (line.length === 68 && same(line.slice(0, 4), id))
      return crypto.subtle.verify({ name: "Ed25519" }, key, line.slice(4), text.encode(told.body));
  }
  return false;
}

async function judged(panel) {
  const value = (name) => panel.querySelector(`[data-part=${name}]`).value;
  try {
    const told = parsed(value("proof")), entry = value("entry").trim();
    if (!entry && !told.entry) return ["warn", "entry"];
    if (!(await climbs(told, entry ? text.encode(entry) : told.entry))) return ["bad", "hash"];
    if (!value("key").trim()) return ["warn", "key"];
    return (await signed(told, value("key"))) ? ["good", "good"] : ["bad", "signature"];
  } catch (error) {
    return error.name === "NotSupportedError" ? ["warn", "unable"] : ["bad", "form"];
  }
}

function checking(panel, judge) {
  const button = panel.querySelector("[data-check]"), result = panel.querySelector("[data-result]");
  button.hidden = false;
  panel.querySelector("[data-without]").hidden = true;
  button.addEventListener("click", async () => {
    const [kind, word] = await judge(panel);
    result.className = `said ${kind}`;
    result.textContent = result.dataset[word];
  });
}

for (const panel of document.querySelectorAll("[data-proof]")) checking(panel, judged);
