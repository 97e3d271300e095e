//! How people, motorbikes, cars and buses look. Coordinates are 0..1 of the object's own box; each shape reaches all
//! four sides of it, so that the truth fits tightly.

use super::{
    canvas::{Canvas, Colour},
    random::Random,
    scene::{Placed, View},
};
use crate::domain::detection::Class;

const SKIN: Colour = Colour::rgb(214, 164, 128);
const DARK: Colour = Colour::rgb(22, 22, 26);
const GLASS: Colour = Colour::rgb(48, 62, 78);
const CHROME: Colour = Colour::rgb(226, 228, 230);
const LAMP: Colour = Colour::rgb(252, 244, 190);
const BRAKE: Colour = Colour::rgb(220, 24, 24);
/// `dress` names these and the next in the same order.
const TROUSERS: [Colour; 3] = [Colour::rgb(28, 32, 58), Colour::rgb(20, 20, 20), Colour::rgb(58, 38, 26)];
/// Bright or deep, never the grey of the road.
const BODIES: [Colour; 8] = [
    Colour::rgb(206, 30, 34),
    Colour::rgb(24, 62, 160),
    Colour::rgb(246, 246, 244),
    Colour::rgb(250, 196, 20),
    Colour::rgb(16, 92, 60),
    Colour::rgb(28, 28, 32),
    Colour::rgb(240, 120, 24),
    Colour::rgb(120, 20, 90),
];

/// One of them.
pub(crate) fn pick<'a, T>(of: &'a [T], random: &mut Random) -> &'a T {
    &of[random.below(of.len() as u64) as usize]
}

/// Draws one object.
pub(crate) fn draw(canvas: &mut Canvas, placed: &Placed) {
    let mut random = Random::of(&[placed.look]);
    let colours = [*pick(&BODIES, &mut random), *pick(&BODIES, &mut random), *pick(&TROUSERS, &mut random)];
    let pen = &mut Pen { canvas, placed };
    match (placed.class, placed.view) {
        (Class::Person, _) => person(pen, colours),
        (Class::Bicycle | Class::Motorcycle, View::Along) => motorbike_along(pen, colours),
        (Class::Bicycle | Class::Motorcycle, View::Across) => motorbike_across(pen, colours),
        (Class::Car, View::Along) => car_along(pen, colours[0]),
        (Class::Car, View::Across) => car_across(pen, colours[0]),
        (Class::Bus | Class::Truck, View::Along) => bus_along(pen, colours[0]),
        (Class::Bus | Class::Truck, View::Across) => bus_across(pen, colours[0]),
    }
}

/// Draws in the coordinates of one object.
struct Pen<'a> {
    canvas: &'a mut Canvas,
    placed: &'a Placed,
}

impl Pen<'_> {
    fn shape<const N: usize>(&mut self, corners: [(f32, f32); N], colour: Colour) {
        self.canvas.polygon(&corners.map(|(x, y)| self.placed.at(x, y)), colour);
    }
    fn block(&mut self, x0: f32, y0: f32, x1: f32, y1: f32, colour: Colour) {
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour);
    }
    fn round(&mut self, middle: (f32, f32), radius: (f32, f32), colour: Colour) {
        let middle = self.placed.at(middle.0, middle.1);
        self.canvas.ellipse(middle, self.placed.of(radius.0, radius.1), colour);
    }
    /// A stroke of the given width from above to below.
    fn limb(&mut self, (x0, y0): (f32, f32), (x1, y1): (f32, f32), width: f32, colour: Colour) {
        let half = width / 2.0;
        self.shape([(x0 - half, y0), (x0 + half, y0), (x1 + half, y1), (x1 - half, y1)], colour);
    }
    fn coming(&self) -> bool {
        self.placed.flipped
    }
}

fn person(pen: &mut Pen, [shirt, sleeve, trousers]: [Colour; 3]) {
    let swing = pen.placed.stride.sin();
    pen.limb((0.42, 0.5), (0.5 - 0.3 * swing, 1.0), 0.24, trousers);
    pen.limb((0.58, 0.5), (0.5 + 0.3 * swing, 1.0), 0.24, DARK);
    pen.limb((0.22, 0.2), (0.1, 0.54 + 0.04 * swing), 0.2, sleeve);
    pen.limb((0.78, 0.2), (0.9, 0.54 - 0.04 * swing), 0.2, sleeve);
    pen.shape([(0.16, 0.17), (0.84, 0.17), (0.74, 0.56), (0.26, 0.56)], shirt);
    pen.round((0.5, 0.085), (0.21, 0.085), SKIN);
    pen.shape([(0.3, 0.07), (0.36, 0.0), (0.64, 0.0), (0.7, 0.07)], DARK);
}

fn motorbike_along(pen: &mut Pen, [body, shirt, trousers]: [Colour; 3]) {
    pen.round((0.5, 0.83), (0.14, 0.17), DARK);
    pen.limb((0.3, 0.5), (0.22, 0.84), 0.22, trousers);
    pen.limb((0.7, 0.5), (0.78, 0.84), 0.22, trousers);
    pen.shape([(0.3, 0.46), (0.7, 0.46), (0.62, 0.8), (0.38, 0.8)], body);
    pen.shape([(0.22, 0.18), (0.78, 0.18), (0.72, 0.52), (0.28, 0.52)], shirt);
    pen.limb((0.2, 0.22), (0.08, 0.5), 0.16, shirt);
    pen.limb((0.8, 0.22), (0.92, 0.5), 0.16, shirt);
    pen.block(0.0, 0.47, 1.0, 0.52, DARK);
    pen.round((0.5, 0.1), (0.19, 0.1), body);
    if pen.coming() {
        pen.block(0.36, 0.1, 0.64, 0.17, SKIN);
        pen.round((0.5, 0.58), (0.12, 0.05), LAMP);
    } else {
        pen.block(0.4, 0.6, 0.6, 0.65, BRAKE);
    }
}

fn motorbike_across(pen: &mut Pen, [body, shirt, trousers]: [Colour; 3]) {
    for x in [0.16, 0.84] {
        pen.round((x, 0.82), (0.16, 0.18), DARK);
        pen.round((x, 0.82), (0.08, 0.09), CHROME);
    }
    pen.shape([(0.16, 0.56), (0.62, 0.6), (0.7, 0.8), (0.3, 0.84)], body);
    pen.shape([(0.7, 0.42), (0.8, 0.42), (0.88, 0.8), (0.8, 0.82)], body);
    pen.block(0.14, 0.53, 0.56, 0.6, DARK);
    pen.limb((0.48, 0.54), (0.6, 0.86), 0.14, trousers);
    pen.limb((0.42, 0.5), (0.58, 0.62), 0.2, trousers);
    pen.shape([(0.34, 0.18), (0.54, 0.18), (0.54, 0.56), (0.3, 0.56)], shirt);
    pen.limb((0.48, 0.22), (0.74, 0.44), 0.1, shirt);
    pen.block(0.68, 0.4, 0.8, 0.45, DARK);
    pen.round((0.47, 0.095), (0.085, 0.095), body);
    pen.block(0.49, 0.08, 0.55, 0.16, SKIN);
}

fn car_along(pen: &mut Pen, body: Colour) {
    pen.block(0.05, 0.75, 0.22, 1.0, DARK);
    pen.block(0.78, 0.75, 0.95, 1.0, DARK);
    pen.shape([(0.08, 0.44), (0.2, 0.0), (0.8, 0.0), (0.92, 0.44)], body);
    pen.shape([(0.16, 0.4), (0.25, 0.07), (0.75, 0.07), (0.84, 0.4)], GLASS);
    pen.shape([(0.0, 0.48), (0.06, 0.4), (0.94, 0.4), (1.0, 0.48)], body);
    pen.block(0.0, 0.48, 1.0, 0.86, body);
    let lamp = if pen.coming() { LAMP } else { BRAKE };
    pen.block(0.04, 0.5, 0.2, 0.6, lamp);
    pen.block(0.8, 0.5, 0.96, 0.6, lamp);
    pen.block(0.35, 0.7, 0.65, 0.8, CHROME);
}

fn car_across(pen: &mut Pen, body: Colour) {
    pen.shape([(0.16, 0.46), (0.3, 0.0), (0.68, 0.0), (0.82, 0.46)], body);
    pen.shape([(0.21, 0.42), (0.32, 0.08), (0.48, 0.08), (0.48, 0.42)], GLASS);
    pen.shape([(0.51, 0.42), (0.51, 0.08), (0.66, 0.08), (0.76, 0.42)], GLASS);
    pen.shape([(0.0, 0.52), (0.04, 0.42), (0.9, 0.42), (1.0, 0.56)], body);
    pen.block(0.0, 0.52, 1.0, 0.84, body);
    pen.block(0.96, 0.56, 1.0, 0.64, LAMP);
    pen.block(0.0, 0.54, 0.03, 0.62, BRAKE);
    for x in [0.2, 0.8] {
        pen.round((x, 0.8), (0.085, 0.2), DARK);
        pen.round((x, 0.8), (0.045, 0.11), CHROME);
    }
}

fn bus_along(pen: &mut Pen, body: Colour) {
    pen.block(0.04, 0.86, 0.2, 1.0, DARK);
    pen.block(0.8, 0.86, 0.96, 1.0, DARK);
    pen.block(0.0, 0.0, 1.0, 0.92, body);
    pen.block(0.15, 0.03, 0.85, 0.11, DARK);
    pen.block(0.07, 0.15, 0.93, 0.52, GLASS);
    pen.block(0.49, 0.15, 0.51, 0.52, body);
    let lamp = if pen.coming() { LAMP } else { BRAKE };
    pen.block(0.06, 0.74, 0.2, 0.82, lamp);
    pen.block(0.8, 0.74, 0.94, 0.82, lamp);
}

fn bus_across(pen: &mut Pen, body: Colour) {
    pen.block(0.0, 0.0, 1.0, 0.88, body);
    for i in 0..6 {
        let x = 0.04 + 0.14 * i as f32;
        pen.block(x, 0.14, x + 0.11, 0.46, GLASS);
    }
    pen.block(0.9, 0.14, 1.0, 0.52, GLASS);
    pen.block(0.0, 0.6, 1.0, 0.66, CHROME);
    pen.block(0.82, 0.14, 0.88, 0.84, GLASS);
    for x in [0.18, 0.74] {
        pen.round((x, 0.86), (0.055, 0.14), DARK);
        pen.round((x, 0.86), (0.028, 0.07), CHROME);
    }
}
