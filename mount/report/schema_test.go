package report_test

import (
	"encoding"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

// objects are all that is written as JSON, by what writes it.
var objects = []struct {
	title string
	value any
}{
	{"`info --json`: one document", report.Info{}},
	{"`ls --json`: a line for each entry", report.Entry{}},
	{"`ls --json IMAGE`: a line for each volume, where there are several", report.VolumeEntry{}},
	{"`stat --json`: a line for each location", report.Stat{}},
	{"`explain --json`: a line for each range", report.Piece{}},
	{"`history --json`: a line for each version", report.Version{}},
	{"`diff --json`: a line for each change", report.Change{}},
	{"`diff --stat --json`: a line for each kind", report.Count{}},
	{"`find --json`: a line for each hit", report.Hit{}},
	{"`attack --json`: one document", report.Attack{}},
	{"`verify --json`: one document", report.Verify{}},
	{"`scan --json`: one document", report.Scan{}},
	{"`unlock --json`: one document", report.Unlock{}},
	{"`mounts --json`: a line for each mount", report.Mount{}},
	{"`restore --progress json`: a line for each second, on standard error", report.Progress{}},
	{"`restore --receipt FILE`: one document, with a `schema` of its own", receipt.Receipt{}},
	{"`verify --json RECEIPT`: one document, with the `schema` of receipts", receipt.Check{}},
	{"The page of `serve`, `/api/list`: a line for each entry", report.Row{}},
	{"The page, `/api/list`: where a path is that leads to no directory", report.Missing{}},
	{"The page, `/api/rows`: a line for each name", report.RowMore{}},
	{"The page, `/api/strip`: a line for each point but the oldest", report.Strip{}},
	{"The page, `/api/diff`: one document", report.Diff{}},
	{"The page, `/api/job`: one document", report.Download{}},
	{"The page: a line, in any answer of lines, of what could not be given", report.Failed{}},
}

const schemaIntro = `# JSON of snapmount

<!-- Made from the types of mount/report and mount/receipt: UPDATE=1 go test ./mount/report -->

All of it has one number, ` + "`schema`" + `, which is %d. Fields are added without
notice, so programs have to pass over those that they do not know; a field that
goes, or comes to mean something else, makes the number grow.

What is "an object a line" says in every line which ` + "`image`, `volume` and `point`" + ` it is
of, and has a ` + "`location`" + ` to paste behind any command. Times are RFC 3339 in UTC
with seven digits. Sizes and offsets are bytes. Names and paths have "/" between
names, and unpaired surrogates of Windows as \u escapes. File references are
RECORD-SEQUENCE. "or null" is for what is not there or not known; "if any" says
that the field itself is left out then.
`

// TestSchema holds SCHEMA.md against the types: every field has a comment, and the page has it. UPDATE=1 writes the page.
func TestSchema(t *testing.T) {
	const page = "SCHEMA.md"
	docs := comments(t, "report", ".", "receipt", "../receipt", "restore", "../../ntfs/restore")
	var b strings.Builder
	fmt.Fprintf(&b, schemaIntro, report.Schema)
	for _, o := range objects {
		typ := reflect.TypeOf(o.value)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | is | |\n|---|---|---|\n", o.title, docs[typ.String()])
		rows(t, &b, docs, "", typ)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(page, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != b.String() {
		t.Errorf("%s is not what the types say (%v): UPDATE=1 go test ./mount/report writes it", page, err)
	}
}

// comments reads the comments of all types of packages, as pkg.Type, and of their fields, as pkg.Type.Field.
func comments(t *testing.T, packages ...string) map[string]string {
	docs := map[string]string{}
	for i := 0; i < len(packages); i += 2 {
		files, err := filepath.Glob(filepath.Join(packages[i+1], "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
					declared(docs, packages[i], g)
				}
			}
		}
	}
	return docs
}

func declared(docs map[string]string, pkg string, g *ast.GenDecl) {
	for _, x := range g.Specs {
		spec := x.(*ast.TypeSpec)
		if s, ok := spec.Type.(*ast.StructType); ok {
			of := pkg + "." + spec.Name.Name
			docs[of] = strings.TrimSpace(oneLine(g.Doc) + " " + oneLine(spec.Doc))
			fields(docs, of, s)
		}
	}
}

func fields(docs map[string]string, of string, s *ast.StructType) {
	for _, f := range s.Fields.List {
		for _, n := range f.Names {
			docs[of+"."+n.Name] = strings.TrimSpace(oneLine(f.Doc) + " " + oneLine(f.Comment))
		}
	}
}

func oneLine(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(c.Text()), " "), "|", `\|`)
}

// rows writes a row for each field of a type, those of the objects in it behind them.
func rows(t *testing.T, b *strings.Builder, docs map[string]string, prefix string, typ reflect.Type) {
	for _, f := range reflect.VisibleFields(typ) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" || tag == "-" || !f.IsExported() {
			continue
		}
		in := typ
		for _, i := range f.Index[:len(f.Index)-1] {
			in = in.Field(i).Type
		}
		doc := docs[in.String()+"."+f.Name]
		if doc == "" {
			t.Errorf("%s.%s has no comment", in, f.Name)
		}
		is, inner := kindOf(f.Type)
		if options == "omitempty" {
			is += ", if any"
		} else if f.Type.Kind() == reflect.Pointer {
			is += " or null"
		}
		name := prefix + tag
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, is, doc)
		if inner != nil {
			if f.Type.Kind() == reflect.Slice {
				name += "[]"
			}
			rows(t, b, docs, name+".", inner)
		}
	}
}

// kindOf says what a type is in JSON, and which object it has in it.
func kindOf(typ reflect.Type) (string, reflect.Type) {
	text := typ.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	switch {
	case typ.Kind() == reflect.Pointer:
		return kindOf(typ.Elem())
	case text, typ.Kind() == reflect.String:
		return "string", nil
	case typ.Kind() == reflect.Bool:
		return "boolean", nil
	case typ.Kind() == reflect.Slice, typ.Kind() == reflect.Array:
		of, inner := kindOf(typ.Elem())
		return "array of " + of + "s", inner
	case typ.Kind() == reflect.Struct:
		return "object", typ
	}
	return "number", nil
}
