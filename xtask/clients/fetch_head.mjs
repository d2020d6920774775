// GET with Node's own fetch, whose caller looks at the head and leaves.
const response = await fetch(process.argv[2]);
process.exit(response.ok ? 0 : 1);
