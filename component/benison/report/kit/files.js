// SPDX-License-Identifier: Apache-2.0
// What a page carries, and the files that it gives.

/** The data that the page carries, inflated. */
async function inflated() {
  const packed = atob((at("data").textContent ?? "").trim());
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/**
 * Begin, or say why that cannot be.
 * @param {() => Promise<void>} begin
 */
async function orSayWhyNot(begin) {
  try {
    await begin();
  } catch (error) {
    at("broken").hidden = false;
    at("broken").textContent =
      `The numbers of this page cannot be shown (${error}). Open it in a browser of 2023 or ` +
      "later; all numbers are in metrics.parquet.";
    throw error;
  }
}

/**
 * Save a file.
 * @param {string} name
 * @param {Blob} content
 */
function save(name, content) {
  const download = name.replace(/[^\w.=-]+/g, "_").slice(0, 80);
  const link = make("a", { href: URL.createObjectURL(content), download });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * A cell of CSV; what a spreadsheet would run is made text.
 * @param {Cell} cell
 */
function field(cell) {
  if (typeof cell === "number") return Number.isNaN(cell) ? "" : String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return `"${text.replaceAll('"', '""')}"`;
}

/**
 * Rows as CSV.
 * @param {Cell[][]} rows
 */
function csv(rows) {
  const text = rows.map((row) => row.map(field).join(",")).join("\r\n");
  return new Blob([`${text}\r\n`], { type: "text/csv" });
}
