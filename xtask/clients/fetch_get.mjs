// GET with Node's own fetch as it comes.
const response = await fetch(process.argv[2]);
await response.text();
