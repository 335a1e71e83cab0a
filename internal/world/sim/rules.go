package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/inmem"
)

// An event is something after which the rules are looked at.
type event struct {
	what     what
	node     string    // or "bridge"
	op       engine.Op // of opBegins and opEnds
	err      error     // of opEnds
	expects  string    // of stickIsWritten: hash of the memory that was kept
	entry    plan.Entry
	gen      generation.Generation
	event    status.Event
	text     string
	input    *decide.Input // of decided
	decision *decide.Decision
	heard    bool // of listened: the network is on air
}

type what int

const (
	opBegins what = iota
	opEnds
	stickIsWritten // all of it is about to be
	journaled
	captured // a generation was put on the shelf
	decided  // what to do
	listened // a parked stick has heard who is on air
	told
	logged
	happened // a deed was done, or taken back
)

// rules are the safety rules I1 to I8, with what must be remembered to look at them.
type rules struct {
	w        *World
	oldFiles map[string]map[string]string // data of each node when the story began
	secrets  []string

	mu         sync.Mutex // guards what follows
	wrong      []string
	breaches   int      // of inmem that were seen
	voices     []string // who is on air, or was last
	open       map[string]plan.Entry
	kinds      map[string]plan.Plan
	seen       []event // what was done since the open step began
	noBroker   time.Time
	last       generation.Generation // that was accepted
	failedOver time.Time             // when the last automatic failover was begun that worked
	risked     bool                  // somebody wanted a failover without proof
	stopped    string                // node that a person had the controller stop, and that was the last run
	onAir      bool                  // by who listened last in this run
	byHand     time.Time             // when a person, or the power that came back, started a node last
	wrongly    map[string]bool       // nodes that a person has started wrongly
	unseen     map[string]bool       // nodes that a person has started wrongly, and no look has seen that
	foreign    int                   // voices that others than the controller have brought on air
}

func newRules(w *World) *rules {
	r := &rules{w: w, oldFiles: map[string]map[string]string{}, open: map[string]plan.Entry{}, kinds: map[string]plan.Plan{}, unseen: map[string]bool{}, wrongly: map[string]bool{}, voices: w.home.OnAir()}
	for _, n := range w.names {
		r.oldFiles[n] = w.home.Host(n).Data()
	}
	r.last, _ = w.disk.Shelf().Latest(home)
	key := nvimagetest.Key()
	seed, _ := w.home.Host(w.names[0]).Stick().Seed()
	for _, k := range [][]byte{key[:], seed[:]} {
		r.secrets = append(r.secrets, fmt.Sprintf("%x", k), fmt.Sprintf("%X", k), strings.Trim(fmt.Sprint(k), "[]"))
	}
	return r
}

// after is the one function that looks at all rules, whatever has happened.
func (r *rules) after(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sight(e)
	r.oneVoiceAndCounters()
	r.veto(e)
	r.oneDirection(e)
	r.nothingLost(e)
	r.nothingShrinks(e)
	r.readBack(e)
	r.intentBeforeAct(e)
	r.doubtMeansStay(e)
	r.coolDown(e)
	r.sameAgain(e)
	r.secretsStay(e)
	if e.what == journaled {
		r.follow(e.entry)
	}
}

func (r *rules) break_(rule, format string, args ...any) {
	text := fmt.Sprintf("%s %s: %s", time.Since(r.w.began).Round(time.Millisecond), rule, fmt.Sprintf(format, args...))
	r.wrong = append(r.wrong, text)
	r.w.log("!! %s", text)
}

func (r *rules) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.wrong) > 0
}

// voice is who serves the home, or did last.
func (r *rules) voice() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.voices[0]
}

// justNow is how long before a start another node may have been started unnoticed:
// between the last look and the act.
const justNow = 5 * time.Second

// hand notes that a person starts a node. What a wrong one uses nobody can know who has
// not seen it.
func (r *rules) hand(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byHand = time.Now()
	if !slices.Contains(r.voices, node) {
		r.unseen[node], r.wrongly[node] = true, true
	}
}

// uncalled notes that a host comes up.
func (r *rules) uncalled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byHand = time.Now()
}

// openFrom is the node that an open run leads away from; false when none is open.
func (r *rules) openFrom() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for run := range r.open {
		return r.kinds[run].From, r.kinds[run].From != ""
	}
	return "", false
}

// sight notes that a wrong voice was seen.
func (r *rules) sight(e event) {
	if e.what == opEnds && e.err == nil && e.op == engine.OpObserve && r.unseen[e.node] && r.w.home.Host(e.node).Running() {
		delete(r.unseen, e.node)
	}
}

// excused says that the controller could not have known.
func (r *rules) excused(b inmem.Breach) bool {
	if node, ends := strings.CutSuffix(b.Text[13:], " shall start at boot and does not run"); ends && slices.Equal(r.voices, []string{node}) {
		return true // it has died since it was looked at, and nobody else serves
	}
	return b.Cause != inmem.ByController || r.risked || time.Since(r.byHand) <= justNow || len(r.unseen) > 0
}

// oneVoiceAndCounters is I1 and I2, which the medium itself watches. What a boot, a
// service manager or a person puts on air is not the controller's doing.
func (r *rules) oneVoiceAndCounters() {
	for _, b := range r.w.home.Breaches(r.breaches) {
		r.breaches++
		if !r.excused(b) {
			r.break_(b.Text[9:11], "%s", b.Text[9:])
			continue
		}
		r.foreign++
		r.w.log("-- not the controller (%s): %s", b.Cause, b.Text)
	}
	if on := r.w.home.OnAir(); len(on) > 0 {
		r.voices = on
	}
}

// veto is I1 too: nobody is started after a parked stick has heard the network on air.
func (r *rules) veto(e event) {
	switch {
	case e.what == listened:
		r.onAir = e.heard
	case e.what == journaled && e.entry.Event == plan.EventPlanned, e.what == opEnds && e.op == opCut && e.err == nil:
		r.onAir = false // a power cut ends it; who was heard after that is heard again
	case e.what == opBegins && e.op == engine.OpStart && r.onAir:
		r.break_("I1", "%s is started although the network was heard on air", e.node)
	}
}

// oneDirection is I3: what is captured comes from who is on air, or was last.
func (r *rules) oneDirection(e event) {
	if e.what == captured && e.gen.Usable() && !slices.Contains(r.voices, e.gen.Source) {
		r.break_("I3", "generation %d was taken from %s, and %v serve the home", e.gen.Number, e.gen.Source, r.voices)
	}
}

// nothingShrinks is I4 for generations: one that is accepted by itself has every device
// that the one before had and that is still there.
func (r *rules) nothingShrinks(e event) {
	if e.what != captured || len(e.gen.Refused) > 0 {
		return
	}
	was := r.last
	r.last = e.gen
	has := func(in []generation.Member, d zigbee.IEEE) bool {
		return slices.ContainsFunc(in, func(m generation.Member) bool { return m.IEEE == d })
	}
	for _, d := range r.w.home.Members() {
		if has(was.Summary.Members, d.IEEE) && !has(e.gen.Summary.Members, d.IEEE) {
			r.break_("I4", "generation %d lacks %s, which is still there", e.gen.Number, d.FriendlyName)
		}
	}
}

// nothingLost is I4 for sticks: what a stick holds is on the shelf before it is written
// over. Data directories are exchanged, so the old one stays.
func (r *rules) nothingLost(e event) {
	if e.what == stickIsWritten && (e.expects == "" || !r.w.disk.Shelf().Has(e.expects)) {
		r.break_("I4", "the stick of %s is written over and what it held was not kept (%q)", e.node, e.expects)
	}
}

// proofs are the operations that show that a step did what it should: one of them, on
// the step's node, after the step began.
var proofs = map[plan.Act][]engine.Op{
	plan.ActStop: {engine.OpObserve}, plan.ActFence: {engine.OpReset, engine.OpPark, engine.OpUnplug, opCut}, plan.ActStart: {engine.OpObserve}, plan.ActPark: {engine.OpPark, engine.OpReset},
	plan.ActKeepStick: {engine.OpReadStick, engine.OpReadKnown}, plan.ActReadStick: {engine.OpReadStick, engine.OpReadKnown}, plan.ActLoad: {engine.OpLoadStick},
	plan.ActActivate: {engine.OpPatchStick, engine.OpLoadStick}, plan.ActCopy: {engine.OpStage}, plan.ActFinalCopy: {engine.OpStage}, plan.ActPromote: {engine.OpPromote},
	plan.ActDisable: {engine.OpObserve}, plan.ActProve: {engine.OpObserve}, plan.ActEnable: {},
}

// readBack is I5: a step that is done tells what was seen, and something was.
func (r *rules) readBack(e event) {
	switch {
	case e.what == opEnds && e.err == nil:
		r.seen = append(r.seen, e)
		return
	case e.what != journaled:
		return
	case e.entry.Event == plan.EventBegin || e.entry.Event == plan.EventUndoBegin:
		r.seen = nil
		return
	case e.entry.Event != plan.EventDone:
		return
	}
	var ev struct{ Saw []string }
	if err := json.Unmarshal(e.entry.Data, &ev); err != nil || len(ev.Saw) == 0 {
		r.break_("I5", "step %s is done and nothing was seen (%v)", e.entry.Step, err)
		return
	}
	p := r.kinds[e.entry.Run]
	want, known := proofs[actOf(e.entry)]
	if strings.HasPrefix(ev.Saw[0], "not needed: ") || strings.Contains(ev.Saw[len(ev.Saw)-1], "not done: ") {
		return
	}
	if actOf(e.entry) == plan.ActPark && strings.Contains(ev.Saw[0], "cannot be asked") { // it was not asked, so it must be so
		if slices.Contains(r.w.home.OnAir(), e.entry.Node) && !r.unseen[e.entry.Node] {
			r.break_("I5", "step %s counts on an old proof, and %s is on air", e.entry.Step, e.entry.Node)
		}
		return
	}
	if !known || len(want) == 0 || (p.Confirmed != "" || p.Risk != "") && actOf(e.entry) == plan.ActFence {
		return
	}
	if !slices.ContainsFunc(r.seen, func(s event) bool { return s.node == e.entry.Node && slices.Contains(want, s.op) }) {
		r.break_("I5", "step %s is done and none of %v was seen to work on %s: %v", e.entry.Step, want, e.entry.Node, ev.Saw)
	}
}

// actOf reads the act out of a step's id, such as "06-fence-attic".
func actOf(e plan.Entry) plan.Act {
	_, act, _ := strings.Cut(e.Step, "-")
	return plan.Act(strings.TrimSuffix(act, "-"+e.Node))
}

// intentBeforeAct is I6: whatever changes a node does so in a step that is begun, and
// there is one run at a time.
func (r *rules) intentBeforeAct(e event) {
	if e.what == opBegins && changing[e.op] && !r.stepIsOpen() {
		r.break_("I6", "%s of %s, and no step was begun", e.op, e.node)
	}
	if e.what == journaled && e.entry.Event == plan.EventPlanned && len(r.open) > 0 {
		r.break_("I6", "run %s is begun while another one is open: %v", e.entry.Run, r.open)
	}
}

func (r *rules) stepIsOpen() bool {
	for _, last := range r.open {
		switch last.Event {
		case plan.EventPlanned, plan.EventDone, plan.EventFailed, plan.EventWalkBack, plan.EventUndone, plan.EventUndoFailed, plan.EventEnded:
		default:
			return true
		}
	}
	return false
}

// follow keeps what the journal says of the runs that are open.
func (r *rules) follow(e plan.Entry) {
	r.open[e.Run] = e
	switch e.Event {
	case plan.EventPlanned:
		var p plan.Plan
		if err := json.Unmarshal(e.Data, &p); err != nil {
			r.break_("I6", "run %s has no plan: %v", e.Run, err)
		}
		r.kinds[e.Run] = p
		r.risked = r.risked || p.Risk != ""
	case plan.EventEnded:
		delete(r.open, e.Run)
	}
}

// doubtMeansStay is I7: nothing is begun on hold, and no move away from a lost node while
// the broker is down.
func (r *rules) doubtMeansStay(e event) {
	if e.what != journaled || e.entry.Event != plan.EventPlanned {
		return
	}
	if hold, _ := r.w.holds.Load(home); hold.On {
		r.break_("I7", "run %s is begun on hold", e.entry.Run)
	}
	var p plan.Plan
	_ = json.Unmarshal(e.entry.Data, &p)
	if p.Kind == plan.KindFailover && !r.noBroker.IsZero() && time.Since(r.noBroker) > 2*time.Second {
		r.break_("I7", "run %s is begun while the broker is down", e.entry.Run)
	}
}

// coolDown is I7 for what is done unasked. After a failover that nobody asked for there is none for a while, unless a
// person has acknowledged it.
func (r *rules) coolDown(e event) {
	if r.stopped != "" && r.w.home.Host(r.stopped).Running() { // somebody has started it since
		r.stopped = ""
	}
	if e.what != journaled {
		return
	}
	p := r.kinds[e.entry.Run]
	if e.entry.Event == plan.EventPlanned {
		_ = json.Unmarshal(e.entry.Data, &p)
	}
	auto := strings.Contains(p.Reason, status.ByController)
	switch {
	case e.entry.Event == plan.EventEnded && plan.Outcome(e.entry.Note) == plan.Completed:
		if auto && p.Kind == plan.KindFailover {
			r.failedOver = p.Created
		}
		r.stopped = ""
		if !auto && p.Kind == plan.KindStop {
			r.stopped = p.From
		}
	case e.entry.Event != plan.EventPlanned || !auto:
	case p.Kind == plan.KindFailover:
		notes, _ := r.w.notes.Load(home)
		if since := time.Since(r.failedOver); !r.failedOver.IsZero() && since < r.w.story.Cool && !notes.Acknowledged.After(r.failedOver) {
			r.break_("I7", "an automatic failover is begun %s after another one", since)
		}
	case p.Kind == plan.KindStart && p.To == r.stopped:
		r.break_("I7", "%s is started although a person has stopped it", p.To)
	}
}

// sameAgain: a decision follows from its input alone.
func (r *rules) sameAgain(e event) {
	if e.what != decided || !r.w.closely() {
		return
	}
	a, _ := json.Marshal(e.decision)
	b, _ := json.Marshal(decide.Decide(*e.input))
	if string(a) != string(b) {
		r.break_("replay", "%s and %s are decided from the same", a, b)
	}
	e.text = string(a)
	r.secretsStay(event{text: e.text})
}

// secretsStay is I8.
func (r *rules) secretsStay(e event) {
	texts := []string{e.text, e.event.Text, e.event.Fix, e.entry.Note, string(e.entry.Data)}
	if e.err != nil {
		texts = append(texts, e.err.Error())
	}
	for _, text := range texts {
		for _, secret := range r.secrets {
			if len(text) >= len(secret) && strings.Contains(text, secret) {
				r.break_("I8", "a key is in %q", text)
			}
		}
	}
}

// told is what the desk told everybody.
func (r *rules) told(ev status.Event) {
	r.w.log("told %s %s: %s", ev.Type, ev.Node, ev.Text)
	r.after(event{what: told, event: ev})
}

func (r *rules) broker(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noBroker = time.Time{}
	if !up {
		r.noBroker = time.Now()
	}
}

func (r *rules) deed(Deed) {}

// restored forgets what the controller has forgotten.
func (r *rules) restored() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.failedOver, r.stopped = generation.Generation{}, time.Time{}, ""
	for node := range r.wrongly { // what was seen of them is forgotten
		r.unseen[node] = true
	}
	r.open, r.kinds = map[string]plan.Entry{}, map[string]plan.Plan{}
}

// small leaves out of a memory the entries that a home of few devices never uses, so that
// ten thousand of them are quick to copy.
func small(m *nvimage.Image) *nvimage.Image {
	const keep = 12
	for _, id := range m.IDs() {
		if !id.IsOSAL() && id.Sub >= keep {
			m.Delete(id)
		}
	}
	return m
}
