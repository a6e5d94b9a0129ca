// Checks here, in the browser, that the newest state of the ledger only adds to an earlier one (RFC 9162 section
// 2.1.4.2), and that the log's own key signed both. Stands on proof.js: hashes, notes and signatures are checked there.
"use strict";

async function grew(older, newer, path) {
  const hashes = [...path];
  if (older.size < 1n || older.size > newer.size) return false;
  if (older.size === newer.size) return hashes.length === 0 && same(older.root, newer.root);
  if ((older.size & (older.size - 1n)) === 0n) hashes.unshift(older.root);
  let here = older.size - 1n, last = newer.size - 1n;
  while (here & 1n) { here >>= 1n; last >>= 1n; }
  let before = hashes.shift(), after = before;
  if (!before) return false;
  for (const hash of hashes) {
    if (last === 0n) return false;
    if (here & 1n || here === last) {
      [before, after] = [await digest([1], hash, before), await digest([1], hash, after)];
      while (!(here & 1n) && here !== 0n) { here >>= 1n; last >>= 1n; }
    } else after = await digest([1], after, hash);
    here >>= 1n; last >>= 1n;
  }
  return last === 0n && same(before, older.root) && same(after, newer.root);
}

// A text field gives back lines without what ends the last one.
const kept = (text) => noted(text.replace(/\r/g, "").trim() + "\n");

async function compared(panel) {
  const value = (name) => panel.querySelector(`[data-part=${name}]`).value;
  const since = BigInt(panel.querySelector("[data-result]").dataset.since);
  try {
    if (!value("earlier").trim()) return ["warn", "earlier"];
    const older = kept(value("earlier")), newer = kept(value("newest"));
    if (older.origin !== newer.origin) return ["bad", "origin"];
    if (older.size !== since) return ["warn", "size"];
    const path = value("hashes").split("\n").filter(Boolean).map(bytesOf);
    if (!(await grew(older, newer, path))) return ["bad", "hash"];
    if (!value("key").trim()) return ["warn", "key"];
    const both = (await signed(older, value("key"))) && (await signed(newer, value("key")));
    return both ? ["good", "good"] : ["bad", "signature"];
  } catch (error) {
    return error.name === "NotSupportedError" ? ["warn", "unable"] : ["bad", "form"];
  }
}

for (const panel of document.querySelectorAll("[data-consistency]")) checking(panel, compared);
