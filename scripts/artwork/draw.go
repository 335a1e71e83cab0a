package main

import (
	"image"
	"image/color"
	"math"
)

var (
	blue  = color.NRGBA{0x00, 0x8f, 0xba, 0xff}
	white = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	amber = color.NRGBA{0xff, 0xb3, 0x00, 0xff}
	deep  = color.NRGBA{0x00, 0x56, 0x73, 0xff}
)

// pictures are all that the store shows, by file name.
func pictures() map[string]image.Image {
	icon := newCanvas(128, 128)
	mark(icon)
	logo := newCanvas(250, 100)
	logo.scale, logo.left, logo.top = 0.75, 2, 2
	mark(logo)
	logo.scale, logo.left, logo.top = 0.94, 110, 32
	letters(logo)
	return map[string]image.Image{"icon.png": icon.NRGBA, "logo.png": logo.NRGBA}
}

func newCanvas(width, height int) canvas {
	return canvas{NRGBA: image.NewNRGBA(image.Rect(0, 0, width, height)), scale: 1}
}

// mark is a house with two circles that overlap: one on air, one waiting, one network.
// It is 128 units wide and high.
func mark(c canvas) {
	house := polygon(9, point{64, 15}, point{115, 60}, point{104, 60}, point{104, 113}, point{24, 113}, point{24, 60}, point{13, 60})
	active, waiting := circle(point{51, 78}, 24), circle(point{77, 78}, 24)
	c.paint(house, blue)
	c.paint(active, amber)
	c.paint(both(active, waiting), white)
	c.paint(ring(both(active, waiting), 3), deep)
	c.paint(ring(waiting, 5), white)
	c.paint(ring(active, 5), white)
}

// letters are "Z2MHA", 40 units high.
func letters(c canvas) {
	const width = 6
	at := func(x float64, corners ...point) {
		for i, p := range corners {
			corners[i] = p.moved(x, 0)
		}
		c.paint(stroke(width, corners...), blue)
	}
	at(0, point{0, 0}, point{20, 0}, point{0, 40}, point{20, 40})
	at(29, append(bow(), point{0, 40}, point{20, 40})...)
	at(58, point{0, 40}, point{0, 0}, point{13, 20}, point{26, 0}, point{26, 40})
	at(98, point{0, 0}, point{0, 40})
	at(98, point{0, 20}, point{18, 20})
	at(98, point{18, 0}, point{18, 40})
	at(124, point{-2, 40}, point{7, 0}, point{16, 40})
	at(124, point{1, 26}, point{13, 26})
}

// bow is the upper part of the figure 2, from its left end to where the foot begins.
func bow() []point {
	var out []point
	for degree := 190; degree <= 400; degree += 6 {
		sin, cos := math.Sincos(float64(degree) * math.Pi / 180)
		out = append(out, point{10 + 10*cos, 11 + 11*sin})
	}
	return out
}
