//! Operators after those of cargo-mutants (<https://mutants.rs/mutants.html>): bodies that return a value at once, operators
//! replaced by others, arms and negations removed, guards that are constant. In: a source. Out: the same with all mutants in
//! it, each behind its number.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, File, GenericArgument, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, Pat,
};
use syn::{PathArguments, ReturnType, TraitItemFn, Type, UnOp, parse_quote};

/// A mutant.
#[derive(Clone)]
pub struct Mutant {
    /// Its file, from the root of the repository.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// The function that it changes.
    pub function: String,
    /// What differs.
    pub what: String,
}

/// Puts mutants into a source. Those that `is_left_out` names by number are counted, but not made.
pub fn mutate(file: &str, source: &mut File, mutants: &mut Vec<Mutant>, is_left_out: &dyn Fn(u32) -> bool) {
    let mut writer = Writer { file: file.to_string(), path: Vec::new(), functions: Vec::new(), mutants, is_left_out };
    writer.visit_file_mut(source);
}

struct Writer<'a> {
    file: String,
    path: Vec<String>,
    functions: Vec<String>,
    mutants: &'a mut Vec<Mutant>,
    is_left_out: &'a dyn Fn(u32) -> bool,
}

impl Writer<'_> {
    /// Numbers for mutants of one place; `None` if one of them is left out.
    fn number(&mut self, at: Span, what: &[String]) -> Option<u32> {
        let first = self.mutants.len() as u32;
        let function = self.functions.last().cloned().unwrap_or_default();
        for what in what {
            let (file, line) = (self.file.clone(), at.start().line);
            self.mutants.push(Mutant { file, line, function: function.clone(), what: what.clone() });
        }
        let mut numbers = first..self.mutants.len() as u32;
        (!numbers.any(|number| (self.is_left_out)(number))).then_some(first)
    }

    fn function(&mut self, name: &str, output: &ReturnType, is_const: bool, block: &mut Block) {
        if is_const {
            return;
        }
        let prefix = self.path.last().map_or_else(String::new, |path| format!("{path}::"));
        self.functions.push(format!("{prefix}{name}"));
        visit_mut::visit_block_mut(self, block);
        let values = match output {
            ReturnType::Default => vec![parse_quote!(())],
            ReturnType::Type(_, of) => values(of),
        };
        for value in values {
            let what = format!("returns {} at once", shown(&value));
            if let Some(number) = self.number(block.span(), &[what]) {
                block.stmts.insert(0, parse_quote!(if crate::mutant::on(#number) { return #value; }));
            }
        }
        self.functions.pop();
    }

    fn binary(&mut self, expr: &mut Expr) {
        let Expr::Binary(binary) = expr else { return };
        let (left, right, span) = (&binary.left, &binary.right, binary.op.span());
        let (own, others, name): (&str, &[&str], &str) = match binary.op {
            BinOp::Eq(_) => ("==", &["!="], "flip"),
            BinOp::Ne(_) => ("!=", &["=="], "flip"),
            BinOp::And(_) => ("&&", &["||"], "flip"),
            BinOp::Or(_) => ("||", &["&&"], "flip"),
            BinOp::Lt(_) => ("<", &["==", ">", "<="], "less"),
            BinOp::Gt(_) => (">", &["==", "<", ">="], "more"),
            BinOp::Le(_) => ("<=", &[">"], "at_most"),
            BinOp::Ge(_) => (">=", &["<"], "at_least"),
            BinOp::Add(_) => ("+", &["-", "*"], "add"),
            BinOp::Sub(_) => ("-", &["+", "/"], "sub"),
            BinOp::Mul(_) => ("*", &["+", "/"], "mul"),
            BinOp::Div(_) => ("/", &["%", "*"], "div"),
            BinOp::Rem(_) => ("%", &["/", "+"], "rem"),
            BinOp::BitAnd(_) => ("&", &["|", "^"], "and"),
            BinOp::BitOr(_) => ("|", &["&", "^"], "or"),
            BinOp::BitXor(_) => ("^", &["|", "&"], "xor"),
            BinOp::Shl(_) => ("<<", &[">>"], "shl"),
            BinOp::Shr(_) => (">>", &["<<"], "shr"),
            BinOp::AddAssign(_) => ("+=", &["-=", "*="], "add_assign"),
            BinOp::SubAssign(_) => ("-=", &["+=", "/="], "sub_assign"),
            BinOp::MulAssign(_) => ("*=", &["+=", "/="], "mul_assign"),
            BinOp::DivAssign(_) => ("/=", &["%=", "*="], "div_assign"),
            BinOp::RemAssign(_) => ("%=", &["/=", "+="], "rem_assign"),
            BinOp::BitAndAssign(_) => ("&=", &["|=", "^="], "and_assign"),
            BinOp::BitOrAssign(_) => ("|=", &["&=", "^="], "or_assign"),
            BinOp::BitXorAssign(_) => ("^=", &["|=", "&="], "xor_assign"),
            BinOp::ShlAssign(_) => ("<<=", &[">>="], "shl_assign"),
            BinOp::ShrAssign(_) => (">>=", &["<<="], "shr_assign"),
            _ => return,
        };
        // What is bound by `let` in a chain would be bound nowhere.
        if matches!(own, "&&" | "||") && (has_let(left) || has_let(right)) {
            return;
        }
        let what: Vec<String> = others.iter().map(|other| format!("`{own}` is `{other}`")).collect();
        let (left, right) = (left.clone(), right.clone());
        let Some(number) = self.number(span, &what) else { return };
        let name = syn::Ident::new(name, span);
        *expr = match own {
            "==" => parse_quote!(crate::mutant::flip(#number, #left == #right)),
            "!=" => parse_quote!(crate::mutant::flip(#number, #left != #right)),
            // After De Morgan, so that the right side is evaluated where the other operator would.
            "&&" => {
                parse_quote!(crate::mutant::flip(#number, crate::mutant::flip(#number, #left) && crate::mutant::flip(#number, #right)))
            }
            "||" => {
                parse_quote!(crate::mutant::flip(#number, crate::mutant::flip(#number, #left) || crate::mutant::flip(#number, #right)))
            }
            "<" | ">" | "<=" | ">=" => parse_quote!(crate::mutant::#name(#number, &(#left), &(#right))),
            own if own.ends_with('=') => parse_quote!({
                let rhs = #right;
                crate::mutant::#name(#number, &mut #left, rhs)
            }),
            _ => parse_quote!(crate::mutant::#name(#number, #left, #right)),
        };
    }

    fn arms(&mut self, arms: &mut [Arm]) {
        let has_rest = arms.iter().any(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none());
        for arm in arms {
            let span = arm.pat.span();
            if let Some((token, guard)) = arm.guard.take() {
                let guard = match self.number(span, &["the guard always holds".into(), "the guard never holds".into()])
                {
                    Some(number) if !has_let(&guard) => parse_quote!(crate::mutant::guard(#number, #guard)),
                    _ => guard,
                };
                arm.guard = Some((token, guard));
            } else if has_rest
                && !matches!(arm.pat, Pat::Wild(_))
                && let Some(number) = self.number(span, &[format!("the arm {} is not there", shown(&arm.pat))])
            {
                arm.guard = Some((parse_quote!(if), parse_quote!(!crate::mutant::on(#number))));
            }
        }
    }
}

impl VisitMut for Writer<'_> {
    fn visit_item_mut(&mut self, item: &mut Item) {
        // What is constant is evaluated by the compiler, and macros have a syntax of their own.
        if !matches!(item, Item::Const(_) | Item::Static(_) | Item::Macro(_) | Item::Enum(_) | Item::Struct(_)) {
            visit_mut::visit_item_mut(self, item);
        }
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if !is_test(&module.attrs) {
            visit_mut::visit_item_mod_mut(self, module);
        }
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        // What is shown to programmers only.
        if block
            .trait_
            .as_ref()
            .is_some_and(|(_, path, _)| path.segments.last().is_some_and(|last| last.ident == "Debug"))
        {
            return;
        }
        self.path.push(shown(&block.self_ty));
        visit_mut::visit_item_impl_mut(self, block);
        self.path.pop();
    }

    fn visit_impl_item_mut(&mut self, item: &mut syn::ImplItem) {
        if !matches!(item, syn::ImplItem::Const(_)) {
            visit_mut::visit_impl_item_mut(self, item);
        }
    }

    fn visit_item_fn_mut(&mut self, function: &mut ItemFn) {
        if !is_test(&function.attrs) {
            let name = function.sig.ident.to_string();
            self.function(&name, &function.sig.output, function.sig.constness.is_some(), &mut function.block);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        if !is_test(&function.attrs) {
            let name = function.sig.ident.to_string();
            self.function(&name, &function.sig.output, function.sig.constness.is_some(), &mut function.block);
        }
    }

    fn visit_trait_item_fn_mut(&mut self, function: &mut TraitItemFn) {
        let name = function.sig.ident.to_string();
        if let Some(block) = &mut function.default {
            self.function(&name, &function.sig.output, function.sig.constness.is_some(), block);
        }
    }

    fn visit_type_mut(&mut self, _: &mut Type) {}

    fn visit_pat_mut(&mut self, _: &mut Pat) {}

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if matches!(expr, Expr::Repeat(_) | Expr::Const(_)) {
            return;
        }
        visit_mut::visit_expr_mut(self, expr);
        match expr {
            Expr::Binary(_) => self.binary(expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let inner = unary.expr.clone();
                if let Some(number) = self.number(unary.span(), &["`!` is not there".to_string()]) {
                    *expr = parse_quote!(crate::mutant::not(#number, #inner));
                }
            }
            Expr::Match(choice) => self.arms(&mut choice.arms),
            _ => {}
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text.contains("cfg (test)") || text.ends_with("test]") || text.ends_with("test ]")
    })
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(inner) => has_let(&inner.expr),
        _ => false,
    }
}

/// One line of a piece of source.
fn shown(piece: &impl quote::ToTokens) -> String {
    let text: String = piece.to_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// Values that a function of this type may return; not all may compile.
fn values(of: &Type) -> Vec<Expr> {
    let Type::Path(path) = of else {
        return match of {
            Type::Tuple(all) if all.elems.is_empty() => vec![parse_quote!(())],
            Type::Never(_) | Type::ImplTrait(_) => Vec::new(),
            Type::Reference(_) => Vec::new(),
            _ => vec![parse_quote!(Default::default())],
        };
    };
    let Some(last) = path.path.segments.last() else { return Vec::new() };
    let inner: Vec<Expr> = match &last.arguments {
        PathArguments::AngleBracketed(all) => match all.args.first() {
            Some(GenericArgument::Type(inner)) => values(inner),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    match last.ident.to_string().as_str() {
        "bool" => vec![parse_quote!(true), parse_quote!(false)],
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i32" | "i64" | "i128" => {
            vec![parse_quote!(0), parse_quote!(1)]
        }
        "Option" => {
            let some = inner.into_iter().map(|value| parse_quote!(Some(#value)));
            std::iter::once(parse_quote!(None)).chain(some).collect()
        }
        "Result" => inner.into_iter().map(|value| parse_quote!(Ok(#value))).collect(),
        "Vec" => vec![parse_quote!(Vec::new())],
        "String" => vec![parse_quote!(String::new())],
        "Self" => Vec::new(),
        _ => vec![parse_quote!(Default::default())],
    }
}
