package timeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/timeline"
	"snapmount/ntfs/usn"
)

// askDuckDB prints the rows of each query as a line of JSON.
const askDuckDB = `
const { DuckDBInstance } = require("@duckdb/node-api");
(async () => {
	const c = await (await DuckDBInstance.create(":memory:")).connect();
	for (const q of JSON.parse(require("fs").readFileSync(0, "utf8")))
		console.log(JSON.stringify((await c.runAndReadAll(q)).getRowsJson()));
})();`

// duckDB answers queries by DuckDB, as testdata/test.sh installs it. Numbers of 64 bits are strings.
func duckDB(t *testing.T, queries ...string) (out [][][]any) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIPPED: no cache folder: %v", err)
	}
	node, modules := testenv.Peer(t, "node"), filepath.Join(cache, "snapmount-peers", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "@duckdb")); err != nil {
		t.Skip("SKIPPED: the peer DuckDB is not installed")
	}
	in, err := json.Marshal(queries)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-e", askDuckDB)
	cmd.Env, cmd.Stdin = append(os.Environ(), "NODE_PATH="+modules), strings.NewReader(string(in))
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for d := json.NewDecoder(strings.NewReader(string(b))); d.More(); {
		var rows [][]any
		if err := d.Decode(&rows); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		out = append(out, rows)
	}
	if len(out) != len(queries) {
		t.Fatalf("%d answers to %d queries: %s", len(out), len(queries), b)
	}
	return out
}

// columns are those of the Parquet file, with the types that DuckDB has to see. Of UTC times it keeps microseconds.
var columns = map[string]string{
	"VARCHAR":                  "row volume path stream kind attributes owner valid_from valid_to usn_reason",
	"BOOLEAN":                  "orphan deleted unknown",
	"INTEGER":                  "seq links version",
	"BIGINT":                   "record size usn si_btime_ticks si_mtime_ticks si_ctime_ticks si_atime_ticks fn_btime_ticks fn_mtime_ticks fn_ctime_ticks fn_atime_ticks usn_time_ticks",
	"TIMESTAMP WITH TIME ZONE": "valid_from_time valid_to_time si_btime si_mtime si_ctime si_atime fn_btime fn_mtime fn_ctime fn_atime usn_time",
}

// moments are the lines of the CSV, from the Parquet file: one for each distinct time of a row. The CSV has names escaped.
const moments = `with groups as (
	select *, '$STANDARD_INFORMATION' as what, [si_mtime_ticks, si_atime_ticks, si_ctime_ticks, si_btime_ticks] as four from read_parquet(PARQUET) where kind <> 'usn'
	union all select *, '$FILE_NAME', [fn_mtime_ticks, fn_atime_ticks, fn_ctime_ticks, fn_btime_ticks] from read_parquet(PARQUET) where fn_mtime_ticks is not null
	union all select *, 'USN', [null, null, usn_time_ticks, null] from read_parquet(PARQUET) where kind = 'usn'
), moments as (select *, unnest(list_distinct(four)) as tick from groups)
select if(volume = '', '', '/' || volume) || if(orphan, '/$OrphanFiles/', '') || replace(path, chr(10), '\x0a') as name, record || '-' || seq as ref, coalesce(owner, '') as owner,
	if(four[1] = tick, 'M', '.') || if(four[2] = tick, 'A', '.') || if(four[3] = tick, 'C', '.') || if(four[4] = tick, 'B', '.') as macb,
	'time: ' || strftime(make_timestamp(tick // 10 - 11644473600000000), '%Y-%m-%dT%H:%M:%S.%f') || tick % 10 || 'Z; times: ' || what ||
	'; kind: ' || kind || '; size: ' || size || '; valid_from: ' || valid_from || '; valid_to: ' || valid_to ||
	if(version = 0, '', '; version: ' || version || if(unknown, ' (unknown)', '')) as extra
from moments where tick <> 0`

// sums are asked of DuckDB; counted has the answer.
const sums = `select kind, count(*), sum(size)::bigint, count(owner), count(*) filter (deleted), count(stream), max(si_mtime_ticks), count(distinct record)
	from read_parquet(PARQUET) group by kind order by kind`

const notTheirTicks = `epoch_us(si_mtime) <> si_mtime_ticks // 10 - 11644473600000000 or epoch_us(fn_btime) <> fn_btime_ticks // 10 - 11644473600000000 or
	epoch_us(usn_time) <> usn_time_ticks // 10 - 11644473600000000`

const lines = `select filename, inode, coalesce("user", ''), MACB, extra from read_csv(CSV, header = true, all_varchar = true, quote = '"', escape = '"')`

// TestDuckDB reads a timeline as Parquet with DuckDB: columns and types, sums against the rows, and every moment
// against the CSV, both ways.
func TestDuckDB(t *testing.T) {
	for name, volume := range map[string]func(t *testing.T) *timeline.Volume{
		"story": func(t *testing.T) *timeline.Volume { points, _ := story(t); return volumeOf(points) },
		"demo":  func(t *testing.T) *timeline.Volume { return volumeOf(volumes(t, images(t)["demo"](t))[0]) },
		"windows": func(t *testing.T) *timeline.Volume {
			return volumeOf(volumes(t, testenv.Shared(t, "data", "windows_volume.qcow2"))[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := volume(t)
			v.Name = "a volume"
			rows := withEvents(v)
			files := strings.NewReplacer("PARQUET", "'"+written(t, rows, "parquet")+"'", "CSV", "'"+written(t, rows, "csv")+"'")
			a := duckDB(t, files.Replace("describe select * from read_parquet(PARQUET)"), files.Replace(sums),
				files.Replace("select count(*) from read_parquet(PARQUET) where "+notTheirTicks),
				files.Replace("select count(*) from ("+lines+")"),
				files.Replace("("+moments+") except all ("+lines+") limit 5"), files.Replace("("+lines+") except all ("+moments+") limit 5"))
			checkColumns(t, a[0])
			if got, want := fmt.Sprint(a[1]), fmt.Sprint(counted(t, rows)); got != want {
				t.Errorf("sums\n%s, want\n%s", got, want)
			}
			if fmt.Sprint(a[2]) != "[[0]]" {
				t.Errorf("%v rows have times that are not their ticks", a[2])
			}
			if fmt.Sprint(a[3]) == "[[0]]" || len(a[4])+len(a[5]) > 0 {
				t.Errorf("of %v moments in the CSV, only the Parquet file has %q, only the CSV %q", a[3], a[4], a[5])
			}
		})
	}
}

// withEvents are the rows of a volume and, as none of the images has a change journal, two events.
func withEvents(v *timeline.Volume) iter.Seq2[*timeline.Row, error] {
	return func(yield func(*timeline.Row, error) bool) {
		for r, err := range v.Rows(context.Background(), timeline.RowOptions{System: true}) {
			if !yield(r, err) {
				return
			}
		}
		for i, name := range []string{"/a \"name\", with a comma", "/two\nlines"} {
			x := usn.Record{USN: int64(i), File: usn.FileID{Low: 7<<48 | 1234}, Time: wintype.FiletimeOf(time.Date(2026, 3, 1, 12, 0, i, 123456700, time.UTC)), Reason: 0x80000100}
			if !yield(&timeline.Row{Volume: v, Path: name, Event: &x}, nil) {
				return
			}
		}
	}
}

func checkColumns(t *testing.T, described [][]any) {
	t.Helper()
	var got, want []string
	for _, row := range described {
		got = append(got, fmt.Sprint(row[0], " ", row[1]))
	}
	for kind, names := range columns {
		for name := range strings.FieldsSeq(names) {
			want = append(want, name+" "+kind)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("columns\n%q, want\n%q", got, want)
	}
}

// counted gives, by kind, what sums asks for, from the rows themselves.
func counted(t *testing.T, rows iter.Seq2[*timeline.Row, error]) (out [][]any) {
	t.Helper()
	type sum struct {
		rows, size, owned, deleted, streams int64
		latest                              any
		records                             map[uint64]bool
	}
	kinds := map[string]*sum{}
	for r, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		kind, record := kindOf(r)
		s := kinds[kind]
		if s == nil {
			s = &sum{records: map[uint64]bool{}}
			kinds[kind] = s
		}
		s.rows++
		s.size += r.Size
		s.records[record] = true
		if r.Owner != "" {
			s.owned++
		}
		if r.Stream != "" {
			s.streams++
		}
		if r.Event != nil {
			continue
		}
		if r.Node.Deleted {
			s.deleted++
		}
		if at := int64(r.Node.Times.Modified); s.latest == nil || at > s.latest.(int64) {
			s.latest = at
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s := kinds[kind]
		out = append(out, []any{kind, s.rows, s.size, s.owned, s.deleted, s.streams, s.latest, len(s.records)})
	}
	return out
}

func kindOf(r *timeline.Row) (kind string, record uint64) {
	switch {
	case r.Event != nil:
		record, _, _ = r.Event.File.Ref()
		return "usn", record
	case r.Stream != "":
		kind = "stream"
	default:
		kind = r.Node.Kind.String()
	}
	return kind, r.Node.Ref.Record
}
