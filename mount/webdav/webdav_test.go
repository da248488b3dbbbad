package webdav_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
	"snapmount/mount/tree/treetest"
	"snapmount/mount/webdav"
)

// aliases are what listings leave out.
var aliases = regexp.MustCompile(`^(/sets|/[^/]+/(vss\d+|ids|snapshots/(latest|oldest)))$`)

func TestTree(t *testing.T) {
	treetest.Run(t, treetest.Front{
		Serve:     func(t *testing.T, s *points.Set) treetest.Client { return serve(t, s) },
		Created:   true,
		Precision: time.Second,
		Unlisted:  aliases.MatchString,
	})
}

// serve serves a set until the test ends.
func serve(t *testing.T, s *points.Set) *client {
	t.Helper()
	files, err := tree.New(s, tree.Options{Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{}
	warn := func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.warned = append(c.warned, err.Error())
	}
	c.Server = httptest.NewServer(webdav.New(files, evidence.NewSender(files, warn), "/dav", warn))
	t.Cleanup(c.Close)
	return c
}

// client asks a share as WebDAV clients do.
type client struct {
	*httptest.Server

	mu     sync.Mutex
	warned []string
}

// response is one of a multistatus.
type response struct {
	Href     string `xml:"DAV: href"`
	Status   string `xml:"DAV: status"`
	Why      string `xml:"DAV: responsedescription"`
	Propstat []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			Collection *struct{} `xml:"DAV: resourcetype>collection"`
			Name       string    `xml:"DAV: displayname"`
			Length     *int64    `xml:"DAV: getcontentlength"`
			Modified   string    `xml:"DAV: getlastmodified"`
			Created    string    `xml:"DAV: creationdate"`
			Tag        string    `xml:"DAV: getetag"`
			Type       string    `xml:"DAV: getcontenttype"`
			Any        []struct {
				XMLName xml.Name
			} `xml:",any"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// do sends a request; each of more is a header "Name: value".
func (c *client) do(method, path, body string, more ...string) (*http.Response, []byte, error) {
	r, err := http.NewRequest(method, c.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for _, line := range more {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := c.Client().Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, b, err
}

// address is that of a path of the tree.
func address(at string) string {
	words := strings.Split(at, "/")
	for i, word := range words {
		words[i] = url.PathEscape(evidence.Name(word))
	}
	return "/dav" + strings.Join(words, "/")
}

func status(code int) error {
	switch {
	case code < 300:
		return nil
	case code == http.StatusNotFound:
		return fs.ErrNotExist
	}
	return fmt.Errorf("status %d", code)
}

func (c *client) propfind(at, depth, body string, more ...string) ([]response, error) {
	res, b, err := c.do("PROPFIND", address(at), body, append(more, "Depth: "+depth)...)
	if err == nil {
		err = status(res.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	var m struct {
		XMLName   xml.Name   `xml:"DAV: multistatus"`
		Responses []response `xml:"DAV: response"`
	}
	err = xml.Unmarshal(b, &m)
	return m.Responses, err
}

// info is what a response tells. The name is of the address, which is what clients go by.
func (x response) info() (treetest.Info, error) {
	name, err := url.PathUnescape(path.Base(x.Href))
	i := treetest.Info{Name: evidence.Unname(name), Kind: tree.KindFile}
	if strings.HasSuffix(x.Href, "/") {
		i.Kind = tree.KindDir
	}
	if x.Status != "" || err != nil {
		return i, errors.Join(errors.New(x.Status+" "+x.Why), err)
	}
	p := x.Propstat[0].Prop
	if (p.Collection != nil) != (i.Kind == tree.KindDir) || (p.Length == nil) != (i.Kind == tree.KindDir) || !strings.HasSuffix(x.Propstat[0].Status, "200 OK") {
		return i, fmt.Errorf("contradicts itself: %+v", x)
	}
	if p.Length != nil {
		i.Attr.Size = *p.Length
	}
	if i.Attr.Modified, err = http.ParseTime(p.Modified); err == nil {
		i.Attr.Created, err = time.Parse(time.RFC3339, p.Created)
	}
	return i, err
}

func (c *client) Stat(at string) (treetest.Info, error) {
	all, err := c.propfind(at, "0", "")
	if err != nil {
		return treetest.Info{}, err
	}
	if len(all) != 1 {
		return treetest.Info{}, fmt.Errorf("%d responses", len(all))
	}
	return all[0].info()
}

func (c *client) List(at string) (list []treetest.Info, err error) {
	all, err := c.propfind(at, "1", "")
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(all[0].Href, "/") {
		return nil, tree.ErrNotDir
	}
	for _, x := range all[1:] {
		i, err2 := x.info()
		if err2 != nil && x.Href == all[0].Href {
			err = errors.Join(err, err2)
			continue
		}
		list = append(list, i)
	}
	return list, err
}

func (c *client) Read(at string) ([]byte, error) {
	res, b, err := c.do(http.MethodGet, address(at), "")
	if err == nil {
		err = status(res.StatusCode)
	}
	if err == nil && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		err = tree.ErrIsDir // no file has that type
	}
	return b, err
}

func (c *client) Link(at string) (string, error) {
	_, err := c.Stat(at)
	return "", errors.Join(tree.ErrNotLink, err)
}

func (c *client) Xattr(string, string) ([]byte, error) { return nil, tree.ErrNoXattr }
func (c *client) Xattrs(string) ([]string, error)      { return nil, tree.ErrNoXattr }
