package nvimage

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Parse reads a dump as zigpy-znp writes it. The order of sections and members does
// not matter; everything else is strict, because a dump that was cut off or edited
// by hand must not reach a stick: unknown names, duplicates, empty or odd values,
// gaps in a table and anything behind the end are errors that name line and key.
// Values never appear in an error.
func Parse(b []byte) (*Image, error) { return parse(b, (*parser).checkWhole) }

// ParsePart is Parse for a part of an image: gaps in tables are fine, and so is nothing
// at all.
func ParsePart(b []byte) (*Image, error) { return parse(b, func(*parser) error { return nil }) }

func parse(b []byte, check func(*parser) error) (*Image, error) {
	p := &parser{src: b, dec: json.NewDecoder(bytes.NewReader(b)), image: New(), lines: make(map[ID]int)}
	err := p.document()
	if err == nil {
		err = check(p)
	}
	if err != nil {
		return nil, fmt.Errorf("parse NVRAM image: %w", err)
	}
	return p.image, nil
}

type parser struct {
	src   []byte
	dec   *json.Decoder
	image *Image
	lines map[ID]int // where each item stands, for errors found later
}

func (p *parser) document() error {
	if len(bytes.TrimSpace(p.src)) == 0 {
		return errors.New("the file is empty")
	}
	err := p.object("the image", p.section)
	if err != nil {
		return err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return p.errorf("something follows the closing brace; the file was edited")
	}
	return nil
}

func (p *parser) checkWhole() error {
	if p.image.Len() == 0 {
		return errors.New("the image holds no items")
	}
	return p.checkGaps()
}

// object reads { "key": …, … }, leaving each value to the callback.
func (p *parser) object(name string, value func(key string) error) error {
	if err := p.delim(name, '{'); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for p.dec.More() {
		t, err := p.token(name)
		if err != nil {
			return err
		}
		key, _ := t.(string) // the decoder lets nothing else pass as a key
		if seen[key] {
			return p.errorf("%s: %s is there twice; the file was edited", name, printable(key))
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim(name, '}')
}

func (p *parser) section(name string) error {
	if name == legacySection {
		return p.object(name, func(key string) error {
			sub, ok := osalByName[key]
			if !ok {
				return p.errorf("%s: %s is no item of this format", name, printable(key))
			}
			return p.item(OSAL(sub), key)
		})
	}
	for _, table := range Tables() {
		if TableName(table) == name {
			return p.table(table, name)
		}
	}
	return p.errorf("%s is no section of this format; is this a zigpy-znp NVRAM dump?", printable(name))
}

func (p *parser) table(table uint16, name string) error {
	before := p.image.Len()
	err := p.object(name, func(key string) error {
		sub, err := strconv.ParseUint(strings.TrimPrefix(key, "0x"), 16, 16)
		id := Entry(table, uint16(sub))
		if err != nil || id.key() != key || !id.Known() {
			return p.errorf("%s: %s is no index: want 0x and four upper-case hex digits, at most 0x%04X", name, printable(key), MaxSub)
		}
		return p.item(id, name+" "+key)
	})
	if err == nil && p.image.Len() == before {
		return p.errorf("%s is empty; the file was edited", name)
	}
	return err
}

func (p *parser) item(id ID, name string) error {
	t, err := p.token(name)
	if err != nil {
		return err
	}
	digits, ok := t.(string)
	switch {
	case !ok:
		return p.errorf("%s: the value is no string of hex digits", name)
	case digits == "":
		return p.errorf("%s: the value is empty; the file was edited", name)
	case len(digits)%2 != 0:
		return p.errorf("%s: %d hex digits: an odd number; the file was edited or cut off", name, len(digits))
	}
	value, err := hex.DecodeString(digits)
	if err != nil {
		return p.errorf("%s: the value holds something else than hex digits; the file was edited", name)
	}
	p.image.Set(id, value)
	p.lines[id] = p.line()
	return nil
}

// checkGaps finds entries that are missing inside a table. A stick's tables have
// none, and zigpy-znp stops reading at the first.
func (p *parser) checkGaps() error {
	for _, table := range Tables() {
		for i, sub := range p.image.entries(table) {
			if int(sub) != i {
				return p.gap(Entry(table, sub), Entry(table, uint16(i)), TableName(table)+" ")
			}
		}
	}
	for _, t := range legacyTables {
		if err := p.checkLegacyGaps(t); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) checkLegacyGaps(t legacyTable) error {
	missing := uint16(0)
	for id := t.start; id < t.end; id++ {
		_, have := p.image.items[OSAL(id)]
		switch {
		case !have && missing == 0:
			missing = id
		case have && missing != 0:
			return p.gap(OSAL(id), OSAL(missing), "")
		}
	}
	return nil
}

func (p *parser) gap(at, missing ID, prefix string) error {
	return fmt.Errorf("line %d: %s%s is there but %s%s is not: a gap in a table; the file was edited",
		p.lines[at], prefix, at.key(), prefix, missing.key())
}

func (p *parser) delim(name string, want json.Delim) error {
	t, err := p.token(name)
	if err != nil {
		return err
	}
	if t != want {
		return p.errorf("%s: want an object in braces", name)
	}
	return nil
}

// token returns the next token of what is called name, a name already found good.
func (p *parser) token(name string) (json.Token, error) {
	t, err := p.dec.Token()
	if err == nil {
		return t, nil
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("line %d: the file ends inside %s; it was cut off", lineOf(p.src, len(p.src)), name)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("line %d: in %s: %w; this is no JSON file, or it was edited", lineOf(p.src, int(syntax.Offset)), name, err)
	}
	return nil, p.errorf("in %s: %w", name, err)
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{p.line()}, args...)...)
}

// line is where the last token ended; no token spans lines.
func (p *parser) line() int { return lineOf(p.src, int(p.dec.InputOffset())) }

func lineOf(src []byte, offset int) int {
	return 1 + bytes.Count(src[:min(max(offset, 0), len(src))], []byte("\n"))
}

// printable quotes a name that was found in the file, unless it may be a value that
// strayed there.
func printable(name string) string {
	if len(name) >= 16 && strings.Trim(name, "0123456789abcdefABCDEF") == "" || len(name) > 60 {
		return fmt.Sprintf("a name of %d characters", len(name))
	}
	return strconv.Quote(name)
}
