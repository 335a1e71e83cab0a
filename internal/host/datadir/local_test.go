package datadir_test

import (
	"testing"

	"z2mha/internal/host/datadir"
)

// What is local by its path stays even where nothing else is left around it, and
// whoever takes the promotion back need not know of it.
func TestPromoteKeepsWhatIsLocalByPath(t *testing.T) {
	for method, way := range ways {
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			h.write("data", tree{"var/my[1]/log.log": "mine\n", "var/x.js": "goes\n"})
			p := h.promotion(way(nil))
			p.Local = append(datadir.Patterns{`/var/my\[1]`}, local...)
			if _, err := p.Do(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want("data", with(promoted, tree{"var/my[1]/log.log": "mine\n"}))
			for range 2 {
				if _, err := h.promotion(way(nil)).Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.want("data", with(oldData, tree{"var/my[1]/log.log": "mine\n", "var/x.js": "goes\n"}))
			}
		})
	}
}
