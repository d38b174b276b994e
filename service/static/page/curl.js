/** What was just done, as a line for a shell. */

/**
 * @param {string} address
 * @param {string} fileName
 * @param {boolean} withKey
 */
export function curlLine(address, fileName, withKey) {
  // Two layers of quotes: curl's own around the name, where ; and , would end it, then the shell's.
  const name = fileName.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  const key = withKey ? '-H "X-API-Key: $UNDERTONE_KEY" ' : "";
  return `curl ${key}-F ${quote(`file=@"${name}"`)} ${quote(address)}`;
}

/**
 * For a POSIX shell: nothing inside is special but the quote itself.
 *
 * @param {string} text
 */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
