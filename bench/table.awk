# table.awk - the figures of script/bench as tables of Markdown.  Input, between tabs:
#
#	title	NAME	TEXT
#	run	BODY CONNECTIONS NAME VARIANT ROUND  REQUESTS/S P50 P99 CPU KIB REFUSED
#	cannot	BODY CONNECTIONS NAME VARIANT WHY
#
# VARIANT is "-", "busy" (the disk) or "alone" (the courier), times are microseconds.  With one body and one number of
# connections, and for 7k with 64 of them: a table of all figures, and the ratios.
# With several: requests/s and p99, a table for each body.

BEGIN { FS = "\t" }

$1 == "title" { title[$2] = $3 }

$1 == "run" || $1 == "cannot" {
	cell = $2 " " $3
	row = $4 " " $5
	if (!(cell in cells)) {
		cells[cell] = ++ncells
		cell_at[ncells] = cell
	}
	if (!($2 in sizes)) {
		sizes[$2] = 1
		size_at[++nsizes] = $2
	}
	if (!($3 in widths)) {
		widths[$3] = 1
		width_at[++nwidths] = $3
	}
	if (!(row in rows)) {
		rows[row] = 1
		row_at[++nrows] = row
	}
}

$1 == "run" {
	for (i = 7; i <= 12; i++)
		figure[cell, row, i, $6] = $i
	done[cell, row] = 1
}

# In one round it could not: then there is no median of it.
$1 == "cannot" { why[cell, row] = $6 }

# The middle one of the rounds of f[]; of an even number the mean of the two.
function middle(f, n,	i, j, t) {
	for (i = 2; i <= n; i++) {
		t = f[i]
		for (j = i - 1; j > 0 && f[j] + 0 > t + 0; j--)
			f[j + 1] = f[j]
		f[j + 1] = t
	}
	return n % 2 ? f[(n + 1) / 2] + 0 : (f[n / 2] + f[n / 2 + 1]) / 2
}

function median(cell, row, i,	r, f) {
	for (r = 1; r <= rounds; r++)
		f[r] = figure[cell, row, i, r]
	return middle(f, rounds)
}

function ms(us) { return sprintf(us < 10000 ? "%.2f" : "%.0f", us / 1000) }

function thousands(n,	s, out) {
	if (n > 0 && n < 100 && n != int(n))
		return sprintf("%.1f", n)
	s = sprintf("%.0f", n)
	for (out = ""; length(s) > 3; s = substr(s, 1, length(s) - 3))
		out = "," substr(s, length(s) - 2) out
	return s out
}

function named(row,	part) {
	split(row, part, " ")
	return title[part[1]] (part[2] == "busy" ? ", **busy disk**" : part[2] == "alone" ? ", **the courier alone**" : "")
}

function size_name(s) {
	sub(/k$/, " KB", s) || sub(/m$/, " MB", s) || sub(/$/, " bytes", s)
	return s
}

# A dash and its footnote, the same number for the same reason.
function dash(reason) {
	if (!(reason in note)) {
		note[reason] = ++nnotes
		note_at[nnotes] = reason
	}
	return "- [" note[reason] "]"
}

function footnotes(	i) {
	for (i = 1; i <= nnotes; i++)
		print (i > 1 ? "" : "\n") "[" i "] " note_at[i] (i < nnotes ? "\\" : ".")
	nnotes = 0
	split("", note)
}

function all_of(cell,	i, row, part, memory) {
	split(cell, part, " ")
	printf "\n### %s, %s connection%s\n\n", size_name(part[1]), part[2], part[2] == 1 ? "" : "s"
	print "| | requests/s | p50, ms | p99, ms | CPU s for 10,000 | memory, MiB | not 2xx |"
	print "|---|--:|--:|--:|--:|--:|--:|"
	for (i = 1; i <= nrows; i++) {
		row = row_at[i]
		if ((cell, row) in done && !((cell, row) in why)) {
			memory = median(cell, row, 11)
			printf "| %s | %s | %s | %s | %.2f | %s | %s |\n", named(row),
			    thousands(median(cell, row, 7)), ms(median(cell, row, 8)),
			    ms(median(cell, row, 9)), median(cell, row, 10),
			    (memory > 0 ? sprintf("%.0f", memory / 1024) : "?"),
			    thousands(median(cell, row, 12))
		} else if ((cell, row) in why) {
			printf "| %s | %s | - | - | - | - | - |\n", named(row), dash(why[cell, row])
		}
	}
	footnotes()
}

# a over b in each round; wanted: at least
function ratio(cell, a, b, wanted, text,	r, f, low, high, mid) {
	if (!((cell, a) in done) || !((cell, b) in done) || (cell, a) in why || (cell, b) in why)
		return
	for (r = 1; r <= rounds; r++)
		f[r] = figure[cell, a, 7, r] / figure[cell, b, 7, r]
	mid = middle(f, rounds)
	if (!nratios++)
		print "\n| ratio of requests/s | wanted | measured | of the rounds | |\n|---|--:|--:|--:|---|"
	printf "| %s | %s | %.2f | %.2f to %.2f | %s |\n", text, wanted,
	    mid, f[1], f[rounds], (wanted == "" ? "" : mid >= wanted ? "met" : "missed")
}

function batching(cell, all, one, text) {
	if (text != "")
		ratio(cell, all " -", one " -", "", text " / one publish for each")
	ratio(cell, all " alone", one " alone", "", "the same, the courier alone")
}

function ratios(cell,	q, p99) {
	q = "verify only"
	ratio(cell, "verify -", "ceiling -", 0.85, q " / ceiling")
	ratio(cell, "verify -", "nullfcgi -", 0.75, q " / plain libfcgi loop")
	ratio(cell, "verify -", "njs -", 3, q " / njs")
	ratio(cell, "verify -", "php -", 3, q " / PHP-FPM")
	ratio(cell, "verify -", "webhook -", 9, q " / adnanh/webhook")
	ratio(cell, "verify -", "flask -", 9, q " / Flask")
	ratio(cell, "verify -", "functions -", 9, q " / functions-framework")
	ratio(cell, "verify -", "node -", 2, q " / Node http")
	ratio(cell, "verify -", "classic -", "", q " / blocking libfcgi pool")
	ratio(cell, "durable -", "verify -", 0.35, "durable / verify only")
	ratio(cell, "durable -", "onecommit -", 5, "durable / one commit for each")
	ratio(cell, "durable busy", "onecommit busy", 20, "the same, busy disk")
	batching(cell, "durable", "onecommit", "")
	ratio(cell, "durable -", "flaskdb -", "", "durable / Flask and SQLite")
	ratio(cell, "durable -", "xadd -", "", "durable / Redis alone")
	batching(cell, "redis", "redisone", "Redis")
	batching(cell, "nats", "natsone", "NATS")
	batching(cell, "kafka", "kafkaone", "Kafka")
	batching(cell, "pubsub", "pubsubone", "Pub/Sub")
	ratio(cell, "pubsub -", "pubsubnode -", "", "Pub/Sub / Google's client, a publish for each")
	ratio(cell, "pubsub -", "pubsubwait -", "", "Pub/Sub / Google's client, gathering")
	if ((cell, "durable -") in done) {
		p99 = median(cell, "durable -", 9)
		printf "\nDurable, p99: %s ms (wanted: under 20; %s).\n", ms(p99),
		    (p99 < 20000 ? "met" : "missed")
	}
}

function matrix(size,	i, j, row, cell, line, any) {
	printf "\n### %s: requests/s, and p99 in ms\n\n| connections |", size_name(size)
	for (j = 1; j <= nwidths; j++)
		if ((size " " width_at[j]) in cells)
			printf " %s |", width_at[j]
	printf "\n|---|"
	for (j = 1; j <= nwidths; j++)
		if ((size " " width_at[j]) in cells)
			printf "--:|"
	print ""
	for (i = 1; i <= nrows; i++) {
		row = row_at[i]
		line = "| " named(row) " |"
		for (j = 1; j <= nwidths; j++) {
			cell = size " " width_at[j]
			if (!(cell in cells))
				continue
			if ((cell, row) in done && !((cell, row) in why))
				line = line " " thousands(median(cell, row, 7)) ", " ms(median(cell, row, 9)) \
				    (median(cell, row, 12) > 0 ? " (" thousands(median(cell, row, 12)) " not 2xx)" : "") " |"
			else
				line = line " " ((cell, row) in why ? dash(why[cell, row]) : "") " |"
		}
		print line
	}
	footnotes()
}

END {
	printf "- each figure: the median of %d round%s of %d s\n", rounds, rounds == 1 ? "" : "s", seconds
	if (ncells == 1)
		accepted = cell_at[1]
	else if ("7k 64" in cells)
		accepted = "7k 64"
	if (accepted != "") {
		all_of(accepted)
		ratios(accepted)
	}
	if (ncells > 1)
		for (i = 1; i <= nsizes; i++)
			matrix(size_at[i])
}
